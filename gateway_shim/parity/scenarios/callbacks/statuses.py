"""Scenarios about the status lines of answers: statuses, phrases, redirects, interim answers."""

from __future__ import annotations

from gateway_shim.parity.reply import RawAnswer, Reply
from gateway_shim.parity.scenarios.callbacks.answers import (
    answer,
    answer_scenario,
    label,
    redirect,
    then_closed,
)

__all__ = ["CALLBACK_STATUSES"]

# Status codes, or whole status lines after the version, with phrases other than the standard ones.
_STATUSES = (
    "200",
    "200 ",
    "200 Fine",
    "201 X",
    "202 X",
    "205 Reset",
    "206 P",
    "299 X",
    "300 M",
    "305 X",
    "306 X",
    "310 X",
    "399 X",
    "400 Bad",
    "400 ",
    "401 ",
    "401 Custom phrase",
    '401 Q"uo\\te',
    "401 L\xe9",
    "403 \xc3\xa9",
    "403 \xe2\x82\xac \xf0\x9f\x98\x80",
    "403 \xff\xfe",
    "403 a\tb",
    "403  two spaces ",
    "403 \x7f",
    "403 \x01",
    "402 P",
    "404 N",
    "407 P",
    "408 T",
    "410 G",
    "418 t",
    "425 E",
    "426 U",
    "429 T",
    "431 x",
    "444 x",
    "499 x",
    "500 E",
    "501 N",
    "505 V",
    "511 N",
    "520 x",
    "599 x",
    "600 x",
    "700 x",
    "999 x",
    "099 x",
    "99 x",
    "1000 x",
    "0 x",
    "abc x",
    "200OK",
    "-200 x",
    "+200 x",
    " 200 x",
    "2 00 x",
)

_WHOLE: tuple[tuple[str, RawAnswer | Reply], ...] = (
    ("204 No Content", answer("204 No Content", "")),
    ("304 NM", answer("304 NM", "")),
    ("403 long phrase", ("HTTP/1.1 403 ", ("p", 3000), "\r\nContent-Length: 0\r\n\r\n")),
    ("401 without a space", "HTTP/1.1 401\r\nContent-Length: 0\r\n\r\n"),
    ("403 of HTTP/1.0", "HTTP/1.0 403 Nope\r\n\r\n"),
    ("421 M", Reply(raw=answer("421 M"), times=2)),
    ("421 then 200", Reply(raw=answer("421 M"), then=(Reply(raw=answer("200 OK")),))),
    ("HTTP/1.2", answer("200 OK").replace("1.1", "1.2")),
    ("HTTP/0.9", answer("200 OK").replace("1.1", "0.9")),
    ("HTTP/2.0", answer("200 OK").replace("1.1", "2.0")),
    ("http/1.1", answer("200 OK").replace("HTTP", "http")),
    ("an empty line before", "\r\n" + answer("200 OK")),
    ("a space before", " " + answer("200 OK")),
)

_ELSEWHERE = Reply(raw=answer("200 OK"))
_FORBIDDEN = Reply(raw=answer("403 Forb"))
_CODES = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 20

_REDIRECTS: tuple[tuple[str, Reply], ...] = (
    *((f"{code}", redirect("/other", code, _ELSEWHERE)) for code in _CODES),
    *((f"{code} refused", redirect("/other", code, _FORBIDDEN)) for code in _CODES),
    *((f"{code} nowhere", Reply(raw=answer(f"{code} M", ""))) for code in _CODES),
    *((f"{code} for ever", redirect("/l", code, times=40)) for code in _CODES),
    ("20 redirects", redirect("/l", 307, _ELSEWHERE, times=_MOST_REDIRECTS)),
    ("21 redirects", redirect("/l", 307, _ELSEWHERE, times=_MOST_REDIRECTS + 1)),
    ("303 then 307", redirect("/a", 303, redirect("/b", 307, _ELSEWHERE))),
    ("307 then 301", redirect("/a", 307, redirect("/b", 301, _ELSEWHERE))),
    ("no url", redirect("http://[bad")),
    ("ftp", redirect("ftp://x/")),
    ("data", redirect("data:text/plain,x")),
    ("empty", redirect("", 307, times=40)),
    ("fragment", redirect("/other?a=b#f", 307, _ELSEWHERE)),
    ("utf-8", redirect("/\xc3\xa9", 307, _ELSEWHERE)),
    ("latin-1", redirect("/\xe9", 307, _ELSEWHERE)),
    ("relative", redirect("other?x", 307, _ELSEWHERE)),
    ("only a query", redirect("?x=y", 307, _ELSEWHERE)),
    ("whole url", redirect("http://127.0.0.1:$PORT/other", 307, _ELSEWHERE)),
    ("another name", redirect("http://localhost:$PORT/other", 307, _ELSEWHERE)),
    ("another scheme", redirect("https://127.0.0.1:$PORT/other", 307, _ELSEWHERE)),
    ("without scheme", redirect("//127.0.0.1:$PORT/other", 307, _ELSEWHERE)),
    ("short url", redirect("http:\\\\127.1:$PORT\\other", 307, _ELSEWHERE)),
    ("name and password", redirect("http://u:p@127.0.0.1:$PORT/other", 307, _ELSEWHERE)),
    ("name and password elsewhere", redirect("http://u:p@localhost:$PORT/", 307, _ELSEWHERE)),
    ("dots", redirect("/a/./b/../c", 307, _ELSEWHERE)),
    ("escapes", redirect("/%41%2f%zz", 307, _ELSEWHERE)),
    ("odd characters", redirect('/a b|"<>^`{}\\c?\'"<>', 307, _ELSEWHERE)),
    ("no backend there", redirect("http://127.0.0.1:1/x")),
    ("bad port", redirect("http://127.0.0.1:99999/x")),
    ("two locations", redirect("/a\r\nLocation: /b", 307, _ELSEWHERE)),
)

_LINK = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
_OK = answer("200 OK")

_INTERIM: tuple[tuple[str, RawAnswer | Reply], ...] = (
    ("100 then 200", "HTTP/1.1 100 Continue\r\n\r\n" + _OK),
    ("102 then 200", "HTTP/1.1 102 Processing\r\n\r\n" + _OK),
    ("103 then 200", _LINK + _OK),
    ("103 then 403", _LINK + answer("403 F")),
    ("103 three times", _LINK * 3 + _OK),
    ("199 then 200", "HTTP/1.1 199 X\r\n\r\n" + _OK),
    ("103 then 307", redirect("/other", 307, _ELSEWHERE)),
    ("101", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + _OK),
    ("101 without upgrade", "HTTP/1.1 101 Switching\r\n\r\n" + _OK),
    ("103 and no more", then_closed(_LINK)),
)

CALLBACK_STATUSES = (
    *(answer_scenario("callback_status", label(line), answer(line)) for line in _STATUSES),
    *(answer_scenario("callback_status", case, raw) for case, raw in _WHOLE),
    *(
        answer_scenario(
            "callback_redirect", case, reply, observe={"authorizations": "$authorizations"}
        )
        for case, reply in _REDIRECTS
    ),
    *(answer_scenario("callback_interim", case, raw) for case, raw in _INTERIM),
)
"""The scenarios about statuses, redirects and interim answers."""
