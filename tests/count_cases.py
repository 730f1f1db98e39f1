#!/usr/bin/env python3
"""Counts what a run of ctest did: passed, failed and skipped cases.

usage: count_cases.py REPORT.xml

REPORT.xml is what ctest --output-junit writes. A test of ctest's that runs
GoogleTest counts as its cases, which its output names; another one counts as
one. So does a suite that failed without naming a case.
"""

import re
import sys
import xml.etree.ElementTree

OUTCOMES = ("OK", "FAILED", "SKIPPED")


def cases(test):
    """The three numbers of one <testcase>."""
    output = test.findtext("system-out") or ""
    counts = [
        len(re.findall(rf"^\[ +{outcome} +\] \S+.* \(\d+ ms\)$", output, re.M))
        for outcome in OUTCOMES
    ]
    failed = test.get("status") == "fail"
    if failed and not counts[1]:
        counts[1] = 1
    if not any(counts):
        ran = test.get("status") == "run"
        counts = [int(ran), 0, int(not ran)]
    return counts


def main():
    tests = xml.etree.ElementTree.parse(sys.argv[1]).iter("testcase")
    print(*map(sum, zip(*map(cases, tests))))


main()
