"""`python -m stripe_replay record FILE | compare OURS THEIRS`; see the README. Never run against Stripe itself."""

import argparse
import os
import sys
from pathlib import Path

from stripe_replay.comparing import compare
from stripe_replay.running import CannotRun, open_stage, read_cassette, run_scenarios, write_cassette


def main() -> int:
    parser = argparse.ArgumentParser(prog="stripe_replay", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    record = commands.add_parser("record", help="ask STRIPE_REPLAY_BASE with STRIPE_REPLAY_KEY, and keep the answers")
    record.add_argument("file", type=Path)
    record.add_argument("names", nargs="*", help="only scenarios whose name starts so, such as 28")
    both = commands.add_parser("compare", help="tell how two cassettes differ")
    both.add_argument("ours", type=Path)
    both.add_argument("theirs", type=Path)
    options = parser.parse_args()
    if options.command == "compare":
        differences = list(compare(read_cassette(options.ours), read_cassette(options.theirs)))
        print("\n".join([*differences, f"{len(differences)} differences"]))
        return bool(differences)
    try:
        stage = open_stage(os.environ)
    except CannotRun as refusal:
        print(refusal, file=sys.stderr)
        return 2
    answers = run_scenarios(stage, options.names)
    write_cassette(options.file, answers)
    print(f"{len(answers)} answers in {options.file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
