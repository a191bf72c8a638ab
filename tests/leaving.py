"""A program that leaves while frames of all filters are in the works: `python tests/leaving.py process|environment`."""

from __future__ import annotations

import sys
from typing import Any

import vapoursynth as vs


class Policy(vs.EnvironmentPolicy):  # type: ignore[misc]
    """One environment at a time, as an editor has that loads a script again and again."""

    def __init__(self) -> None:
        self.current: Any = None
        self.api: Any = None

    def on_policy_registered(self, special_api: Any) -> None:
        self.api = special_api

    def on_policy_cleared(self) -> None:
        self.current = None

    def get_current_environment(self) -> Any:
        return self.current

    def set_environment(self, environment: Any) -> Any:
        before, self.current = self.current, environment
        return before

    def is_alive(self, environment: Any) -> bool:
        return environment is self.current

    def begin(self) -> None:
        """A new environment."""
        self.current = self.api.create_environment()

    def end(self) -> None:
        """Destroys the environment."""
        gone, self.current = self.current, None
        self.api.destroy_environment(gone)


policy = Policy()
if sys.argv[1:] == ["environment"]:
    vs.register_policy(policy)
    policy.begin()  # whatever is imported below asks for a core

from cases import CASES, MARKING, Case  # noqa: E402
from support import Video, blank  # noqa: E402


def applied(case: Case) -> Any:
    """The filter on a clip that takes a moment."""
    return case.apply(blank(Video("YUV420P8", 320, 180), 8))


def ask(clip: Any) -> list[Any]:
    """All frames of a clip, requested."""
    return [clip.get_frame_async(n) for n in range(clip.num_frames)]


def unfinished(futures: list[Any]) -> int:
    """How many frames are in the works."""
    return sum(not future.done() for future in futures)


def leave_process(cases: list[Case]) -> int:
    """Every other clip is let go of before it."""
    clips = [applied(case) for case in cases]
    futures = [future for clip in clips for future in ask(clip)]
    del clips[::2]
    return unfinished(futures)


def leave_environments(cases: list[Case]) -> int:
    """Each case in an environment of its own; every other clip outlives it."""
    left = 0
    for i, case in enumerate(cases):
        policy.begin()
        clip = applied(case)
        futures = ask(clip)
        if i % 2 == 0:
            del clip
        left += unfinished(futures)
        policy.end()
        for future in futures:
            future.exception(60)
    return left


def main() -> None:
    """Leaves, and says how many frames were in the works."""
    cases = [*CASES, *MARKING]
    if policy.current is None:
        left = leave_process(cases)
    else:
        policy.end()
        left = leave_environments(cases)
    print("left", left, flush=True)


if __name__ == "__main__":
    main()
