"""Rules tried on history: what a set that is not switched on would have said. Writes nothing."""

from metering.trials.rule_sets import (
    BrokenRules,
    TrialRule,
    TrialSet,
    UnknownRuleSet,
    list_rule_sets,
    parse_rules,
    read_live_set,
    read_rule_set,
)
from metering.trials.running import NothingToTry, OnProgress, try_rules
from metering.trials.scores import Missed, Said, SetResult, Trial, summarise
from metering.trials.windows import AccountName, TriedWindow

__all__ = [
    "AccountName",
    "BrokenRules",
    "Missed",
    "NothingToTry",
    "OnProgress",
    "Said",
    "SetResult",
    "Trial",
    "TrialRule",
    "TrialSet",
    "TriedWindow",
    "UnknownRuleSet",
    "list_rule_sets",
    "parse_rules",
    "read_live_set",
    "read_rule_set",
    "summarise",
    "try_rules",
]
