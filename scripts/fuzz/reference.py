"""
Rule 1 and RFC 8785 once more, by other means: Python's own JSON reader, a text of rules that shares nothing with the service, and the package
rfc8785. One line of JSON in: a list of bodies in base64. One line out: for each body what has to be said of it.

  {"verdict": "no-json" | "malformed" | "too_large" | "fine"}, and where it is fine also
  "canonical": the RFC 8785 form of the value without its member "signature", base64; "fields": what breaks the schema of a log
"""
import base64
import datetime
import json
import math
import re
import sys
from decimal import Decimal

import rfc8785

MAX_BYTES = 16 * 1024
MAX_DEPTH = 8
MAX_INTEGER = 2**53 - 1
RESERVED = {"__proto__", "constructor", "prototype"}
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
HASH = re.compile(r"(sha256:)?[0-9a-fA-F]{64}")
INSTANT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]{1,3})?(Z|([+-])([0-9]{2}):([0-9]{2}))"
)
NIL = "00000000-0000-0000-0000-000000000000"
REQUIRED = "log_id device_id campaign_id content_id started_at ended_at duration_actual duration_expected status signature".split()
OPTIONAL = "location screenshot_hash key_id".split()


class Broken(Exception):
    """A rule of the strict reader is broken; the text may still be JSON."""


class Reader:
    """Reads to the end even where a rule is broken, for bad syntax behind it weighs more."""

    def __init__(self):
        self.broken = False

    def pairs(self, pairs):
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names) or RESERVED.intersection(names):
            self.broken = True
        return dict(pairs)

    def number(self, text):
        value = float(text)
        if not math.isfinite(value) or abs(value) > MAX_INTEGER:
            self.broken = True
        return value

    def read(self, text):
        def refuse(name):
            raise ValueError(name)

        value = json.loads(
            text, object_pairs_hook=self.pairs, parse_float=self.number, parse_int=self.number, parse_constant=refuse
        )
        self.walk(value, 1)
        if self.broken or not isinstance(value, dict):
            raise Broken
        return value

    def walk(self, value, depth):
        if isinstance(value, str):
            if any(0xD800 <= ord(character) <= 0xDFFF for character in value):
                self.broken = True
        elif isinstance(value, (dict, list)):
            if depth > MAX_DEPTH:
                self.broken = True
            for item in value.items() if isinstance(value, dict) else value:
                if isinstance(value, dict):
                    self.walk(item[0], depth)
                    item = item[1]
                self.walk(item, depth + 1)


def milliseconds(year, month, day, hour, minute, second, fraction, offset):
    # Python's calendar begins with the year 1; 400 years are a whole number of weeks, so any year has a twin that it knows.
    days = datetime.date(2000 + year % 400, month, day).toordinal() + year // 400 * 146_097
    return ((days * 24 + hour) * 60 + minute - offset) * 60_000 + second * 1000 + fraction


FIRST = milliseconds(0, 1, 1, 0, 0, 0, 0, 0)
LAST = milliseconds(9999, 12, 31, 23, 59, 59, 999, 0)


def is_instant(value):
    match = INSTANT.fullmatch(value) if isinstance(value, str) else None
    if not match:
        return False
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    offset_hours, offset_minutes = int(match[10] or 0), int(match[11] or 0)
    if hour > 23 or minute > 59 or second > 59 or offset_hours > 23 or offset_minutes > 59:
        return False
    offset = (offset_hours * 60 + offset_minutes) * (-1 if match[9] == "-" else 1)
    fraction = int((match[7] or ".0")[1:].ljust(3, "0"))
    try:
        return FIRST <= milliseconds(year, month, day, hour, minute, second, fraction, offset) <= LAST
    except ValueError:
        return False


def is_seconds(value, least):
    # The shortest decimal that reads as this number must have three decimals at most.
    if not isinstance(value, float):
        return False
    exact = Decimal(repr(value)) * 1000
    return least <= exact <= 86_400_000 and exact == int(exact)


def is_base64(value):
    if not isinstance(value, str) or value == "":
        return False
    try:
        return base64.b64encode(base64.b64decode(value.encode("ascii"), validate=True)).decode() == value
    except ValueError:
        return False


def is_uuid(value):
    return isinstance(value, str) and UUID.fullmatch(value) is not None


CHECKS = {
    "log_id": lambda v: is_uuid(v) and v != NIL,
    "device_id": is_uuid,
    "campaign_id": is_uuid,
    "content_id": is_uuid,
    "started_at": is_instant,
    "ended_at": is_instant,
    "duration_actual": lambda v: is_seconds(v, 0),
    "duration_expected": lambda v: is_seconds(v, 1),
    "status": lambda v: isinstance(v, str) and v in ("COMPLETED", "PARTIAL", "SKIPPED", "ERROR"),
    "screenshot_hash": lambda v: v is None or (isinstance(v, str) and HASH.fullmatch(v) is not None),
    "key_id": lambda v: v is None or (isinstance(v, str) and 1 <= len(v) <= 64),
    "signature": is_base64,
}


def pointer(*names):
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)


def faults_of(log):
    faults = {pointer(name) for name in REQUIRED if name not in log}
    for name, value in log.items():
        if name == "location":
            faults |= location_faults(value)
        elif name not in CHECKS or not CHECKS[name](value):
            faults.add(pointer(name))
    return sorted(faults)


def location_faults(value):
    if value is None:
        return set()
    if not isinstance(value, dict):
        return {"/location"}
    faults = {pointer("location", name) for name in value if name not in ("lat", "lng")}
    for name, most in (("lat", 90), ("lng", 180)):
        degrees = value.get(name)
        if not isinstance(degrees, float) or abs(degrees) > most:
            faults.add(pointer("location", name))
    return faults


def judge(body):
    if len(body) > MAX_BYTES:
        return {"verdict": "too_large"}
    try:
        value = Reader().read(body.decode("utf-8"))
    except Broken:
        return {"verdict": "malformed"}
    except ValueError:
        return {"verdict": "no-json"}
    unsigned = {name: member for name, member in value.items() if name != "signature"}
    return {"verdict": "fine", "canonical": base64.b64encode(rfc8785.dumps(unsigned)).decode(), "fields": faults_of(value)}


for line in sys.stdin:
    print(json.dumps([judge(base64.b64decode(body)) for body in json.loads(line)]), flush=True)
