#!/usr/bin/env python3
"""A build without any one sync fails the power-cut test."""
# timeout: 900
# alone: yes
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.lib.tap import check, main, test
from tests.torture import sync_removal


@test("with every sync in place the same test passes", timeout_s=300)
def _(t):
    how = sync_removal.noticed("nothing", seed=1)
    check(how is None, how)


def add(name):
    @test(f"without the sync {name} ({sync_removal.CLASSES[name]}) the power-cut test fails", timeout_s=300)
    def _(t):
        how = sync_removal.noticed(name, seed=1)
        check(how, "the loss of this sync is not noticed")
        print("# noticed: " + how.splitlines()[0][:200])


for one in sync_removal.CLASSES:
    add(one)

if __name__ == "__main__":
    sys.exit(main())
