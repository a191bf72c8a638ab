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


def ask(case: Case) -> tuple[Any, list[Any]]:
    """The filter, and all its frames requested."""
    out = case.apply(blank(Video("YUV420P8", 96, 64), 16))
    return out, [out.get_frame_async(n) for n in range(out.num_frames)]


def leave_environments(cases: list[Case]) -> None:
    """Each case in an environment of its own; every other clip outlives it."""
    for i, case in enumerate(cases):
        policy.begin()
        out, futures = ask(case)
        if i % 2 == 0:
            del out
        policy.end()
        for future in futures:
            future.exception(60)


def main() -> None:
    """Leaves."""
    cases = [*CASES, *MARKING]
    if policy.current is None:
        left = [ask(case) for case in cases[::2]]
        for case in cases[1::2]:
            ask(case)
        assert left
    else:
        policy.end()
        leave_environments(cases)
    print("left", flush=True)


if __name__ == "__main__":
    main()
