"""Generated answers to a connect callback, byte for byte: correct, odd and broken ones."""

from __future__ import annotations

from gateway_shim.parity.fuzz.generation.dice import Dice
from gateway_shim.parity.reply import After, RawAnswer, Reply

__all__ = ["diverging", "raw"]

_VERSIONS = (
    "HTTP/1.1",
    "HTTP/1.1",
    "HTTP/1.1",
    "HTTP/1.1",
    "HTTP/1.0",
    "HTTP/2",
    "HTTP/1.2",
    "http/1.1",
)
_STATUSES = (
    "200", "200", "200", "201", "204", "205", "206", "299", "300", "304", "305", "306", "399",
    "400", "401", "403", "404", "407", "408", "410", "418", "425", "426", "429", "451", "499",
    "500", "501", "502", "503", "504", "505", "511", "599",
)  # fmt: skip
_BAD_STATUSES = ("0", "20", "2000", "-200", "+200", "2x0", "", " 200", "\xb2\xb2\xb2")
_PHRASES = (
    " OK", " ", "", " Two words", ' Q"uo\\te', " \xc3\xa9", " L\xe9", " \xf0\x9f\x98\x80", " a\tb",
    " \xff\xfe", " " + "p" * 3000, "  two spaces", " <b>", " \xe2\x80\xa8", " \xed\xa0\x80",
)  # fmt: skip
_GOOD_LINES = (
    "X: a", "X:", "X:a", "X: \t a \t ", "Set-Cookie: a=b", "Retry-After: 7", "X: \xe9\xff",
    "X!#$%&'*+-.^_`|~: a",
    "Content-Type: text/html; charset=x", "Access-Control-Allow-Origin: https://a", "Date: never",
    "Location: /elsewhere", "WWW-Authenticate: Basic", "Upgrade: h2c", "Content-Encoding: br",
    "Content-Encoding: gzip", "Trailer: X", "SSE-Backend-Boot: nonsense", "Keep-Alive: timeout=5",
    "Connection: close", "Connection: keep-alive",
)  # fmt: skip
_BAD_LINES = (
    "nonsense", "X : a", " X: a", ": a", "X: a\x01", "X\x01: a", "X: a\0b", "X\xe9: a", "X: a\x7f",
    "(x): a",
    "X y: a",
)  # fmt: skip
_ENDS = ("\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n")
_LENGTHS = (
    "2",
    "2",
    "2",
    "02",
    "0",
    "1",
    "50",
    "abc",
    "-5",
    "+2",
    "2.0",
    "",
    "2, 2",
    "2, 3",
    "0x2",
    "99999999999999999999",
)
_CODINGS = (
    "chunked",
    "chunked",
    "chunked",
    "Chunked",
    "gzip",
    "identity",
    "gzip, chunked",
    "chunked, gzip",
    "x",
)
_BODIES = ("{}", "", "null", "<html>", "\xff\xfe", '{"event":{"name":"x","data":"y"},"close":true}')
_CHUNKS = (
    "2\r\n{}\r\n0\r\n\r\n", "0\r\n\r\n", "2;x=y\r\n{}\r\n0\r\n\r\n", "2\r\n{}\r\n0\r\nX: y\r\n\r\n",
    "zz\r\n{}\r\n", "5\r\n{}", "2\r\n{}", "2\r\n{}xx0\r\n\r\n", "",
)  # fmt: skip
_UNFINISHED = (
    (["Content-Length: 50"], "{}"), (["Transfer-Encoding: chunked"], "2\r\n{}\r\n"),
    (["Connection: close"], "{}"), (["Transfer-Encoding: chunked"], "5\r\n{}"),
)  # fmt: skip
_REDIRECTS = ("301", "302", "303", "307", "308")
_LOCATIONS = (
    "/other", "/other?a=b#f", "other", "?x=y", "//127.0.0.1:1/", "", "http://[bad", "ftp://x/",
    "/\xc3\xa9", "/\xe9",
    "/a b", "/%zz", "http:///", "#", "/../x", "\\x", "/|^`\"<>{}", " /other", "data:,x",
    "http://127.0.0.1:6000/",
)  # fmt: skip
_NO_HTTP = (
    "", "H", "HTTP/1.1", "HTTP/1.1 200 O", "{}", "\0\x01garbage\r\n\r\n", "\r\n",
    "\x16\x03\x01\0\xa5",
    "ICY 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nX: ", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
)  # fmt: skip
_DIVERGING = (
    Reply(interim=(100,)), Reply(403, interim=(100,)), Reply(interim=(100, 103)),
    Reply(interim=(103, 100)), Reply(600), Reply(999), Reply(421, times=2),
)  # fmt: skip


def raw(dice: Dice) -> Reply:
    """Return an answer as bytes: any final status, framed and cut in any way.

    Some answers have a body that never comes. No answer has a late head, because each such case
    would last for a callback's whole time limit.
    """
    chance = dice.share()
    if chance < 0.12:
        return Reply(
            raw=dice.one(_NO_HTTP), after=dice.one((After.CLOSE, After.CLOSE, After.RESET))
        )
    if chance < 0.3:
        return _redirect(dice)
    status = dice.one(_BAD_STATUSES if dice.chance(0.06) else _STATUSES)
    return _answer(dice, status)


def diverging(dice: Dice) -> Reply:
    """Return an answer to which our gateway reacts in another way than Node's (divergence 9)."""
    return dice.one(_DIVERGING)


def _answer(dice: Dice, status: str) -> Reply:
    pieces: list[str | tuple[str, int]] = [_interim(dice)]
    end = dice.one(_ENDS)
    lines = dice.some(_GOOD_LINES, 3)
    if dice.chance(0.1):
        lines.insert(dice.below(len(lines) + 1), dice.one(_BAD_LINES))
    if dice.chance(0.04):
        lines.append(" folded")
    pieces.append(end.join((f"{dice.one(_VERSIONS)} {status}{dice.one(_PHRASES)}", *lines, "")))
    if dice.chance(0.05):
        name, count = dice.one(
            (("X: a\r\n", 150), ("X: a\r\n", 1500), ("Y: " + "b" * 95 + "\r\n", 150))
        )
        pieces.append((name, count))
    framing, body = _framing(dice)
    after = dice.one((After.CLOSE, After.CLOSE, After.CLOSE, After.RESET, After.WITHHOLD))
    if after is After.WITHHOLD:
        # A complete body leaves nothing to withhold, and the next callback would have to wait.
        framing, body = dice.one(_UNFINISHED)
    pieces.append(end.join((*framing, "", "")) + body)
    return Reply(raw=_joined(pieces), after=after)


def _interim(dice: Dice) -> str:
    """Return interim answers without 100, which is a divergence; a 101 always names a protocol."""
    if dice.chance(0.85):
        return ""
    return "".join(
        dice.one(
            (
                "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
                "HTTP/1.1 102 Processing\r\n\r\n",
                "HTTP/1.1 102\r\n\r\n",
                "HTTP/1.1 110 X\r\n\r\n",
                "HTTP/1.1 199 X\r\n\r\n",
                "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            )
        )
        for _ in range(dice.one((1, 1, 2, 5)))
    )


def _framing(dice: Dice) -> tuple[list[str], str]:
    """Return the header lines that give the body's length, and a body that need not agree."""
    chance = dice.share()
    body = dice.one(_BODIES)
    if chance < 0.4:
        return [f"Content-Length: {len(body)}"], body
    if chance < 0.5:
        return [], body
    if chance < 0.65:
        return [f"Content-Length: {dice.one(_LENGTHS)}"], "{}"
    if chance < 0.7:
        return [f"Content-Length: {dice.one(_LENGTHS)}" for _ in range(2)], "{}"
    lines = [f"Transfer-Encoding: {dice.one(_CODINGS)}"]
    if dice.chance(0.1):
        lines.insert(dice.below(2), f"Content-Length: {dice.one(_LENGTHS)}")
    return lines, dice.one(_CHUNKS)


def _redirect(dice: Dice) -> Reply:
    """Return a redirect and the answer to the next request, which may also be a redirect."""
    status, location = dice.one(_REDIRECTS), dice.one(_LOCATIONS)
    line = "" if dice.chance(0.05) else f"Location: {location}\r\n"
    text = f"HTTP/1.1 {status} M\r\n{line}Content-Length: 0\r\n\r\n"
    if dice.chance(0.15):
        final = Reply(raw="HTTP/1.1 403 F\r\nContent-Length: 0\r\n\r\n")
    else:
        final = Reply(dice.one((200, 204, 401, 404, 500)))
    return Reply(raw=text, times=dice.one((1, 1, 1, 1, 2, 19, 20, 21)), then=(final,))


def _joined(pieces: list[str | tuple[str, int]]) -> RawAnswer:
    """Return the pieces, as one text if no piece is repeated."""
    kept = tuple(piece for piece in pieces if piece)
    texts = [piece for piece in kept if isinstance(piece, str)]
    return "".join(texts) if len(texts) == len(kept) else kept
