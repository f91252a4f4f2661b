"""How much longer a command takes where another process keeps cores busy.

    python experiments/busy.py [--busy 1] [--repeats 3] COMMAND ...

The command runs alone and beside the busy processes, in turns; times are medians of clock times. It must do the same
work each time: remove what it has written by `sh -c 'rm -rf OUT; COMMAND'`.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median


def seconds(command: Sequence[str], busy: int) -> float:
    """Clock time of a command beside ``busy`` processes that compute all the time.

    Raises:
        CalledProcessError: the command failed.
    """
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
    try:
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - start
    finally:
        for other in others:
            other.kill()
            other.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--busy", type=int, default=1, help="busy processes (default: 1)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    args = parser.parse_args()
    times: dict[int, list[float]] = {0: [], args.busy: []}
    for _ in range(args.repeats):
        for busy, values in times.items():
            values.append(seconds(args.command, busy))
    alone, beside = (median(values) for values in times.values())
    print(f"alone {alone:.1f} s, beside {args.busy} busy {beside:.1f} s: {beside / alone:.2f} times")


if __name__ == "__main__":
    main()
