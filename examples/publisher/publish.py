#!/usr/bin/env python3
"""Sends made-up game events to POST {api}/applications/{id}/events: the event types, fields and weights of the sample
publisher of AWS's Game Analytics Pipeline, at a rate of your choice. Python 3.9 or newer, nothing else.

    publish.py --api-path http://127.0.0.1:8080/live --application-id ID --api-key KEY --rate 500 --seconds 60
    publish.py --applications ID:KEY --applications ID2:KEY2 --count 10000 --days 3 --seed 1 --output requests.ndjson

At the end it prints how many events were taken and how many were not. Exit code: 0 = all taken, 1 = some were not,
2 = wrong use."""
import argparse
import collections
import datetime
import http.client
import json
import math
import random
import sys
import time
import urllib.parse
import uuid

BATCH_MAX = 500  # what the API takes in one request
TIMEOUT_S = 30
REASONS_SHOWN = 5
DAY_S = 86400

# ---- what happens in the game ----------------------------------------------------------------------------

EVENT_VERSION = "1.0.0"
APP_VERSIONS = {"1.0.0": 0.05, "1.1.0": 0.80, "1.2.0": 0.15}
COUNTRIES = ["AUSTRALIA", "BRAZIL", "CANADA", "FRANCE", "GERMANY", "JAPAN", "SINGAPORE", "SOUTH KOREA", "UK", "UNITED STATES"]
PLATFORMS = ["nintendo_switch", "ps4", "xbox_360", "iOS", "android", "pc", "fb_messenger"]
CURRENCIES = ["USD", "EUR", "YEN", "RMB"]
MAPS = ["WAREHOUSE", "CASTLE", "AIRPORT"]
SPELLS = ["WATER", "EARTH", "FIRE", "AIR"]
MATCH_TYPES = ["1v1", "TEAM_DM_5v5", "CTF"]
MATCH_RESULTS = ["WIN", "LOSE", "KICKED", "DISCONNECTED", "QUIT"]
MATCHING_FAILURES = ["timeout", "user_quit", "too_few_users"]
RANKS = ["1_BRONZE", "2_SILVER", "3_GOLD", "4_PLATINUM", "5_DIAMOND", "6_MASTER"]
TUTORIAL_SCREENS = ["1_INTRO", "2_MOVEMENT", "3_WEAPONS", "4_FINISH"]
SCREENS = ["MAIN_MENU", "SHOP", "LOBBY", "MATCH", "SETTINGS"]
RARITIES = ["COMMON", "UNCOMMON", "RARE", "EPIC", "LEGENDARY"]
REPORT_REASONS = ["GRIEFING", "CHEATING", "AFK", "RACISM/HARASSMENT"]
LEVELS = ["1", "2", "3", "4", "5"]
MATCHES = 50
ITEMS = 200


class Game:
    """The same seed tells the same story: types, fields, ids and, with a fixed end of the days, times."""

    def __init__(self, seed=None):
        self.random = random.Random(seed)
        self.matches = [self.new_id() for _ in range(MATCHES)]
        self.items = [self.new_id() for _ in range(ITEMS)]

    def new_id(self):
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def one(self, choices):
        return self.random.choice(choices)

    def number(self, low, high):
        return self.random.randint(low, high)

    def weighted(self, weights):
        return self.random.choices(list(weights), list(weights.values()))[0]

    def event(self, timestamp):
        kind = self.weighted(WEIGHTS)
        return {"event_id": self.new_id(), "event_type": kind, "event_name": kind, "event_version": EVENT_VERSION,
                "event_timestamp": timestamp, "app_version": self.weighted(APP_VERSIONS), "event_data": KINDS[kind][1](self, timestamp)}

    def item(self):
        return {"item_id": self.one(self.items), "item_version": self.number(1, 2)}

    def match(self):
        return {"match_id": self.one(self.matches), "map_id": self.one(MAPS)}

    def matchmaking(self):
        return {"match_id": self.one(self.matches), "match_type": self.one(MATCH_TYPES)}

    def level(self):
        return {"level_id": self.one(LEVELS), "level_version": self.number(1, 2)}


# type: (share of all events, its event_data)
KINDS = {
    "user_registration": (0.04, lambda g, now: {"country_id": g.one(COUNTRIES), "platform": g.one(PLATFORMS)}),
    "user_knockout": (0.05, lambda g, now: {**g.match(), "spell_id": g.one(SPELLS), "exp_gained": g.number(1, 2)}),
    "item_viewed": (0.18, lambda g, now: g.item()),
    "iap_transaction": (0.02, lambda g, now: {
        **g.item(), "item_amount": g.number(1, 4), "currency_type": g.one(CURRENCIES), "country_id": g.one(COUNTRIES),
        "currency_amount": g.number(1, 10), "transaction_id": g.new_id()}),
    "login": (0.10, lambda g, now: {"platform": g.one(PLATFORMS), "last_login_time": now - g.number(0, 30 * DAY_S)}),
    "logout": (0.06, lambda g, now: {"last_screen_seen": g.one(SCREENS)}),
    "tutorial_progression": (0.04, lambda g, now: {"tutorial_screen_id": g.one(TUTORIAL_SCREENS), "tutorial_screen_version": g.number(1, 2)}),
    "user_rank_up": (0.03, lambda g, now: {"user_rank_reached": g.one(RANKS)}),
    "matchmaking_start": (0.025, lambda g, now: g.matchmaking()),
    "matchmaking_complete": (0.025, lambda g, now: {**g.matchmaking(), "matched_slots": g.number(6, 9)}),
    "matchmaking_failed": (0.01, lambda g, now: {
        **g.matchmaking(), "matched_slots": g.number(1, 9), "matching_failed_msg": g.one(MATCHING_FAILURES)}),
    "match_start": (0.03, lambda g, now: g.match()),
    "match_end": (0.03, lambda g, now: {
        **g.match(), "match_result_type": g.one(MATCH_RESULTS), "exp_gained": g.number(100, 199), "most_used_spell": g.one(SPELLS)}),
    "level_started": (0.08, lambda g, now: g.level()),
    "level_completed": (0.08, lambda g, now: g.level()),
    "level_failed": (0.08, lambda g, now: g.level()),
    "lootbox_opened": (0.04, lambda g, now: {
        "lootbox_id": g.new_id(), "lootbox_cost": g.number(2, 5), "item_rarity": g.one(RARITIES), **g.item(), "item_cost": g.number(1, 5)}),
    "user_report": (0.04, lambda g, now: {"report_id": g.new_id(), "report_reason": g.one(REPORT_REASONS)}),
    "user_sentiment": (0.04, lambda g, now: {"user_rating": g.number(1, 5)}),
}
WEIGHTS = {kind: weight for kind, (weight, _) in KINDS.items()}


# ---- where the requests go -------------------------------------------------------------------------------

class Api:
    """One connection, kept alive. Remembers what was taken and, for what was not, why."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url} is no URL; it looks like http://127.0.0.1:8080/live")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.connection = kind(parts.hostname, parts.port, timeout=TIMEOUT_S)
        self.path = parts.path.rstrip("/")
        self.successes = 0
        self.failures = collections.Counter()  # by reason

    def send(self, application, key, events):
        body = json.dumps({"events": events}, separators=(",", ":"))
        headers = {"Authorization": key, "Content-Type": "application/json"}
        try:
            status, text = self.ask(f"{self.path}/applications/{urllib.parse.quote(application)}/events", body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.failures[f"no answer: {error or type(error).__name__}"] += len(events)
            return
        self.judge(status, text, len(events))

    def ask(self, path, body, headers):
        """A kept connection may have been closed meanwhile: then once more, on a new one. The events keep their ids."""
        kept = self.connection.sock is not None
        try:
            return self.exchange(path, body, headers)
        except (ConnectionError, http.client.BadStatusLine):
            self.connection.close()
            if not kept:
                raise
            return self.exchange(path, body, headers)

    def exchange(self, path, body, headers):
        try:
            self.connection.request("POST", path, body, headers)
            answer = self.connection.getresponse()
            return answer.status, answer.read()
        except BaseException:
            self.connection.close()  # or the next answer would be taken for this one's
            raise

    def judge(self, status, text, count):
        try:
            answer = json.loads(text)
            results = answer["Events"] if status == 200 else []
            codes = [r.get("ErrorCode", "no ErrorCode") for r in results if r["Result"] != "Ok"]
        except (ValueError, TypeError, KeyError, AttributeError):
            results, codes = [], []
        if status != 200 or len(results) != count:
            self.failures[f"HTTP {status}: {text[:200].decode(errors='replace')}"] += count
            return
        self.failures.update(codes)
        self.successes += count - len(codes)

    def finish(self):
        self.connection.close()


class File:
    """One request a line instead of sending it."""

    def __init__(self, path):
        self.file = sys.stdout if path == "-" else open(path, "w", encoding="utf-8")
        self.successes = 0
        self.failures = collections.Counter()

    def send(self, application, _key, events):
        json.dump({"application_id": application, "body": {"events": events}}, self.file, separators=(",", ":"))
        self.file.write("\n")
        self.successes += len(events)

    def finish(self):
        self.file.flush()
        if self.file is not sys.stdout:
            self.file.close()


# ---- when they go ----------------------------------------------------------------------------------------

class Clock:
    """Event times: now, or anywhere in the last days."""

    def __init__(self, game, days, until):
        self.game, self.days, self.until = game, days, until

    def time(self):
        end = self.until if self.until is not None else int(time.time())
        if not self.days:
            return end
        return end - 1 - self.game.random.randrange(int(self.days * DAY_S))


def publish(target, game, clock, args):
    """Batch by batch until count or seconds are reached. A batch goes when its last event is due, so that the rate is an
    average; where the server is slower, nothing is skipped and the rate is lower."""
    began, sent, turn = time.monotonic(), 0, 0
    limit = args.count if args.count is not None else math.inf
    if args.seconds is not None and args.rate:
        limit = min(limit, round(args.rate * args.seconds))
    while sent < limit and (args.seconds is None or time.monotonic() - began < args.seconds):
        size = min(args.batch_size, limit - sent)
        due = began + (sent + size) / args.rate if args.rate else began
        events = [game.event(clock.time()) for _ in range(size)]
        time.sleep(max(0.0, due - time.monotonic()))
        application, key = args.applications[turn % len(args.applications)]
        target.send(application, key, events)
        sent, turn = sent + size, turn + 1


def report(target, seconds, out):
    taken, failed = target.successes, sum(target.failures.values())
    rate = (taken + failed) / seconds if seconds > 0 else 0
    print(f"successes: {taken}, failures: {failed} ({seconds:.1f} s, {rate:.0f} events/s)", file=out)
    for reason, count in target.failures.most_common(REASONS_SHOWN):
        print(f"  {count} x {reason}", file=out)


# ---- the command line ------------------------------------------------------------------------------------

def application(text):
    ident, colon, key = text.partition(":")
    if not colon or not ident or not key:
        raise argparse.ArgumentTypeError(f"{text!r}: it wants ID:KEY")
    return ident, key


def moment(text):
    """Seconds since 1970, or a date and time; UTC where it does not say otherwise."""
    try:
        return int(text)
    except ValueError:
        at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        return int((at if at.tzinfo else at.replace(tzinfo=datetime.timezone.utc)).timestamp())


def above(kind, low, high=None):
    def number(text):
        value = kind(text)
        if not value > low or (high is not None and value > high):
            raise argparse.ArgumentTypeError(f"{text}: it wants a number above {low}" + (f", at most {high}" if high else ""))
        return value
    return number


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_argument_group("where to")
    where.add_argument("--api-path", metavar="URL", help="base of the API with its stage: http://127.0.0.1:8080/live")
    where.add_argument("--application-id", metavar="ID")
    where.add_argument("--api-key", metavar="KEY", help="the key's value; goes into the Authorization header")
    where.add_argument("--applications", metavar="ID:KEY", type=application, action="append", default=[],
                       help="another application; repeat it. Batches go to all of them in turn")
    where.add_argument("--output", metavar="FILE", help="write the requests there, one a line, instead of sending them; - is stdout")
    how = parser.add_argument_group("how much")
    how.add_argument("--batch-size", type=above(int, 0, BATCH_MAX), default=100, metavar="N", help="events in a request (100)")
    how.add_argument("--rate", type=float, default=None, metavar="EVENTS/S", help="events per second (25); 0 = as fast as they are taken")
    how.add_argument("--count", type=above(int, 0), metavar="N", help="stop after so many events")
    how.add_argument("--seconds", type=above(float, 0), metavar="S", help="stop after so much time; without both: until Ctrl-C")
    when = parser.add_argument_group("which")
    when.add_argument("--seed", metavar="TEXT", help="the same seed makes the same events")
    when.add_argument("--days", type=above(float, 0), metavar="N", help="spread the events over the last N days, instead of now")
    when.add_argument("--until", type=moment, metavar="TIME", help="the end of these days: 2026-03-09T12:00:00Z, or seconds since 1970 (now)")
    return parser


def read_options(argv):
    parser = options()
    args = parser.parse_args(argv)
    if args.application_id:
        args.applications.insert(0, (args.application_id, args.api_key or ""))
    if not args.applications:
        parser.error("name an application: --application-id ID --api-key KEY, or --applications ID:KEY")
    if not args.output and (not args.api_path or not all(key for _, key in args.applications)):
        parser.error("sending needs --api-path and a key; or write the requests with --output FILE")
    if args.output and args.count is None and args.seconds is None:
        parser.error("--output needs --count or --seconds: it would never end")
    if args.rate is None:
        args.rate = 0 if args.output else 25
    if args.rate < 0:
        parser.error("--rate: it wants 0 or more")
    return args, parser


def main(argv=None):
    args, parser = read_options(argv)
    try:
        target = File(args.output) if args.output else Api(args.api_path)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    began = time.monotonic()
    game = Game(args.seed)
    try:
        publish(target, game, Clock(game, args.days, args.until), args)
    except KeyboardInterrupt:
        pass  # the way to end it
    target.finish()
    report(target, time.monotonic() - began, sys.stderr if args.output == "-" else sys.stdout)
    return 1 if target.failures else 0


if __name__ == "__main__":
    sys.exit(main())
