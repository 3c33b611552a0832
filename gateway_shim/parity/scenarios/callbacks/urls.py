"""Scenarios about CALLBACK_URL: the request that each URL causes, over TCP, IPv6 and TLS."""

from __future__ import annotations

from collections.abc import Mapping

from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.scenarios.callbacks.answers import label
from gateway_shim.parity.steps import Fence, Open, Request, TryStart

__all__ = ["CALLBACK_URLS"]

_HERE = "http://127.0.0.1:$PORT"

# The URL standard (https://url.spec.whatwg.org) defines all of these.
_URLS = (
    f"{_HERE}/cb?a=b&c=d%20e",
    f"{_HERE}/cb#frag",
    f"{_HERE}/c b?x=y z",
    f" {_HERE}/cb ",
    f"\t{_HERE}/c\tb\n",
    f"{_HERE}/c\xe9?\xfc=\xe9",
    _HERE,
    f"{_HERE}?x",
    "HTTP://LOCALHOST:$PORT/cb",
    "http://localhost:$PORT/cb",
    f"{_HERE}/a/../b/./c",
    f"{_HERE}/a/%2e%2E/b/%2e/c",
    f"{_HERE}//a",
    f"{_HERE}\\cb\\..\\d?\\",
    f"{_HERE}/%41%2f%zz",
    f"{_HERE}/cb?%41%zz%",
    "http://127.1:$PORT/cb",
    "http://0x7f000001:$PORT/cb",
    f"{_HERE}/a|b\"<>{{}}^`[]~'",
    f"{_HERE}/cb?a='\"<>{{}}|^`b",
    f"{_HERE}/cb/",
    f"{_HERE}/cb;a=b",
    "http:/127.0.0.1:$PORT/cb",
    "http:\\\\127.0.0.1:$PORT\\cb",
)

_UNUSABLE = (
    "127.0.0.1:9/cb",
    "//127.0.0.1:9/cb",
    "nonsense",
    "ftp://127.0.0.1:9/",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:PO\tRT/c\tb",
    "http://[::1",
    "http://",
    "http://127.0.0.1:0/",
    " ",
)

_NAMES_AND_PASSWORDS = {
    "name and password": "http://us%20er:pa%3Ass@127.0.0.1:$PORT/cb",
    "only a name": "http://user@127.0.0.1:$PORT/cb",
    "only a password": "http://:secret@127.0.0.1:$PORT/cb",
}

# No backend answers: a name that does not exist, and a port that browsers refuse (X11's).
_NO_ANSWER = {
    "unknown host": "http://no-such-host.invalid/cb",
    "http:///cb": "http:///cb",
    "http://127.0.0.1:6000/": "http://127.0.0.1:6000/",
}

_TLS = "https://127.0.0.1:$PORT/cb?x=y"
_TRUST: Mapping[str, Mapping[str, str]] = {
    "nobody": {},
    "NODE_EXTRA_CA_CERTS": {"NODE_EXTRA_CA_CERTS": "$CA"},
    "SSL_CERT_FILE": {"SSL_CERT_FILE": "$CA"},
    "SSL_CERT_FILE and REQUESTS_CA_BUNDLE": {"SSL_CERT_FILE": "$CA", "REQUESTS_CA_BUNDLE": "$CA"},
}
_TRUST_DIVERGING: Mapping[str, Mapping[str, str]] = {
    "REQUESTS_CA_BUNDLE": {"REQUESTS_CA_BUNDLE": "$CA"},
    "NODE_TLS_REJECT_UNAUTHORIZED": {"NODE_TLS_REJECT_UNAUTHORIZED": "0"},
}
_PROXIES = {
    name: "http://127.0.0.1:9"
    for variable in ("http_proxy", "https_proxy", "all_proxy")
    for name in (variable, variable.upper())
} | {"no_proxy": "", "NO_PROXY": ""}


def _callback_url(name: str, case: str, process: Process) -> Scenario:
    return Scenario(
        name,
        (Open(), Fence(), Request("GET", "/readyz", name="readyz")),
        {
            "case": case,
            "status": "$status:s",
            "calls": "$calls",
            "authorizations": "$authorizations",
            "readyz": "$status:readyz",
        },
        case=case,
        process=process,
    )


def _refused_start(case: str, environment: Mapping[str, str]) -> Scenario:
    return Scenario(
        "divergence_20",
        (TryStart(environment),),
        {"case": case, "exit": "$value:exit:attempt", "answers": "$value:answers:attempt"},
        case=case,
        process=Process(start=False),
    )


CALLBACK_URLS = (
    *(_callback_url("callback_url", label(url), Process(callback=url)) for url in _URLS),
    _callback_url("callback_url", "::1", Process(callback="http://[::1]:$PORT/cb", backend="::1")),
    _callback_url("callback_url", "proxies", Process(callback=f"{_HERE}/cb", environment=_PROXIES)),
    *(
        _callback_url("callback_url", case, Process(callback=url))
        for case, url in _NO_ANSWER.items()
    ),
    _callback_url("callback_url", "empty", Process(callback="")),
    *(_refused_start(label(url), {"CALLBACK_URL": url}) for url in _UNUSABLE),
    *(
        _refused_start(
            variable, {"CALLBACK_URL": "https://127.0.0.1:9/", variable: "/no/such/file"}
        )
        for variable in ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
    ),
    *(
        _callback_url("divergence_12", case, Process(callback=url))
        for case, url in _NAMES_AND_PASSWORDS.items()
    ),
    *(
        _callback_url(name, case, Process(callback=_TLS, environment=trust, tls=True))
        for name, cases in (("callback_tls", _TRUST), ("divergence_13", _TRUST_DIVERGING))
        for case, trust in cases.items()
    ),
    _callback_url("callback_tls", "http to a TLS port", Process(callback=f"{_HERE}/cb", tls=True)),
    _callback_url("callback_tls", "https to a plain port", Process(callback=_TLS)),
)
"""The scenarios about every form of CALLBACK_URL, and about the authorities that are trusted."""
