"""The frame of the console's pages: states, errors, the version banner, and the way in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.config import Settings
from app.factory import build
from tests.browser.console.accessibility import violations
from tests.browser.console.console_server import ConsoleServer
from tests.browser.tabs import Browser, Tab

pytestmark = pytest.mark.needs("chromium", "playwright", "npm")

PHONE = {"width": 360, "height": 640}
WIDE = {"width": 1280, "height": 800}
PAGE = "/console/operations"
# Imported again, a module is the one that the page has.
MODULE = 'const page = await import("/console/static/page.js");'


@pytest.fixture(scope="module")
def server() -> Iterator[ConsoleServer]:
    """Serve the console without a password."""
    with ConsoleServer(build(Settings(_env_file=None))) as running:
        yield running


@pytest.fixture(scope="module")
def locked() -> Iterator[ConsoleServer]:
    """Serve the console with a password."""
    with ConsoleServer(build(Settings(_env_file=None, sse_console_password="correct horse"))) as it:
        yield it


@pytest.fixture
def tab(chromium: Browser, server: ConsoleServer) -> Iterator[Tab]:
    """Open a page of the console."""
    with chromium.context() as context:
        tab = context.tab(f"{server.url}{PAGE}")
        tab.wait_for("document.documentElement.dataset.connection === 'connecting'")
        # All of the page's scripts have run, so nothing changes behind the back of a test.
        tab.wait_for("document.querySelector('[aria-busy=true]') === null")
        yield tab
        assert tab.complaints == []


def announced(tab: Tab) -> str:
    """Return what a screen reader has said last."""
    text: str = tab.evaluate("document.querySelector('#announcement').textContent")
    return text


def test_the_state_is_always_in_words(tab: Tab) -> None:
    """Each state is a word with its reason; what lasts can be ended with a button."""
    assert tab.text(".connection-text") == "Stream connecting"
    tab.evaluate("fake.set('open')")
    assert tab.text(".connection-text") == "Stream open"
    tab.evaluate("fake.set('waiting', {reason: 'no <b>answer', retryAt: Date.now() + 2_900})")
    assert tab.text(".connection-text") == "Stream waiting no <b>answer; trying again in 3 s"
    assert not tab.locate("#reconnect", "is_visible")
    # The seconds are counted down.
    tab.wait_for("document.querySelector('#connection-detail').textContent.includes('in 1 s')")
    tab.wait_for("document.querySelector('#connection-detail').textContent.includes('again now')")
    tab.evaluate("fake.set('lost', {reason: 'no answer', retryAt: Date.now() + 9e6})")
    assert tab.text(".connection-text").startswith("Stream lost no answer; trying again in ")
    tab.click("#reconnect")
    tab.evaluate("fake.set('closed', {reason: 'the server has closed the stream'})")
    assert tab.text(".connection-text") == "Stream closed the server has closed the stream"
    tab.click("#reconnect")
    assert tab.evaluate("fake.reconnects") == 2
    # The button that had the focus disappears. The focus stays near.
    tab.evaluate("fake.set('open')")
    assert tab.evaluate("document.activeElement.id") == "main"
    assert not tab.locate("#reconnect", "is_visible")


def test_screen_readers_hear_only_what_matters(tab: Tab) -> None:
    """A short pause is not announced. A lost stream is, and its return."""
    for state in ("open", "waiting", "connecting", "open"):
        tab.evaluate("state => fake.set(state, {reason: 'x', retryAt: Date.now() + 1000})", state)
        assert announced(tab) == ""
    tab.evaluate("fake.set('lost', {reason: 'no answer'})")
    assert announced(tab) == "The stream is lost: no answer."
    tab.evaluate("fake.set('connecting')")
    assert announced(tab) == "The stream is lost: no answer."
    tab.evaluate("fake.set('open')")
    assert announced(tab) == "The stream is open again."
    tab.evaluate("fake.set('closed')")
    assert announced(tab) == "The stream is closed."
    # What changes each second is no live region.
    assert tab.evaluate("document.querySelector('#connection-detail').closest('[role]')") is None


def test_a_new_version(tab: Tab) -> None:
    """A version that differs from the first one offers a reload, with its changes as text."""
    tab.evaluate("fake.send('version', {version: 'unknown', error: 'no answer'})")
    tab.evaluate("fake.send('version', {version: '2.4.0'})")
    tab.evaluate("fake.send('version', {version: '2.4.0'})")
    assert not tab.locate("#version", "is_visible")
    tab.evaluate(
        "fake.send('version', {version: '2.5.0', changelog: '<img src=x onerror=fail()>'})"
    )
    text = "Version 2.5.0 is available: <img src=x onerror=fail()>"
    assert tab.text("#version p") == text
    assert violations(tab) == []
    tab.evaluate("fake.send('version', {version: '2.6.0', changelog: 'x'.repeat(1e6)})")
    assert len(tab.text("#version p")) < 400
    tab.evaluate("fake.send('version', {version: 'x'.repeat(1e6)})")
    assert len(tab.text("#version p")) < 400
    tab.evaluate("globalThis.isOld = true")
    tab.click("#version button")
    tab.wait_for("!globalThis.isOld && document.querySelector('#version').hidden")


def test_errors_are_shown_in_words(tab: Tab) -> None:
    """An error shows its message, when to try again, and each fault; the user closes it."""
    tab.evaluate(
        f"""async () => {{{MODULE}
          const details = [{{loc: ["params", "steps"], msg: "<b>too many"}}, {{loc: [], msg: "x"}}];
          page.showError(new page.ServerError(503, "It is busy.", details, 7));
          page.showError(new page.ServerError(503, "It is busy.", details, 7));
          page.showError(new Error("second"));
        }}"""
    )
    assert tab.evaluate("document.querySelectorAll('#notices .notice').length") == 2
    text = tab.text("#notices .notice:nth-child(1)")
    assert text.split("\n")[0] == "It is busy. Try again in 7 s."
    assert "params.steps: <b>too many" in text
    assert violations(tab) == []
    tab.click("#notices .notice:nth-child(1) button")
    assert tab.text("#notices p") == "second"
    many = "for (let i = 0; i < 9; i++) page.showError(new Error(`error ${i}`));"
    tab.evaluate(f"async () => {{{MODULE}{many}}}")
    assert tab.locate("#notices p", "all_inner_texts") == ["error 6", "error 7", "error 8"]
    tab.evaluate(f"async () => {{{MODULE} page.clearErrors(); }}")
    assert tab.evaluate("document.querySelector('#notices').childElementCount") == 0


FAILURE = f"""async ([method, path, body]) => {{{MODULE}
  return page.request(method, path, body).then(
    (answer) => ["fine", answer],
    (error) => [error.name, error.status, error.message, error.details.length, error.retryAfter]);
}}"""


def test_requests(chromium: Browser, server: ConsoleServer) -> None:
    """A request returns the JSON; a refusal becomes an error with the server's own message."""
    with chromium.context() as context:
        tab = context.tab(f"{server.url}{PAGE}")
        assert tab.evaluate(FAILURE, ["GET", "/session"]) == ["fine", {"signed_in": True}]
        answer = tab.evaluate(FAILURE, ["POST", "/none", {"a": 1}])
        assert answer == ["ServerError", 404, "There is nothing at /console/api/none", 0, None]
        answer = tab.evaluate(FAILURE, ["POST", "/session", {}])
        assert answer[1] == 405
        assert answer[2].startswith("POST is not allowed at /console/api/session")


def test_a_server_that_is_away(chromium: Browser, server: ConsoleServer) -> None:
    """A request that gets no answer says so in words."""
    with chromium.context() as context:
        tab = context.tab(f"{server.url}{PAGE}")
        tab.evaluate(f"async () => {{{MODULE}}}")
        context.call("set_offline", True)
        assert tab.evaluate(FAILURE, ["GET", "/session"])[:3] == [
            "ServerError",
            0,
            "The server does not answer. Check that it runs, and try again.",
        ]


@pytest.mark.parametrize(
    ("scheme", "viewport"), [("light", PHONE), ("dark", WIDE)], ids=["phone", "wide"]
)
def test_every_frame_is_accessible(
    chromium: Browser,
    server: ConsoleServer,
    locked: ConsoleServer,
    scheme: str,
    viewport: dict[str, int],
) -> None:
    """No page violates a rule of axe, in light and dark, and none is wider than a phone."""
    options = {"color_scheme": scheme, "viewport": viewport, "reduced_motion": "reduce"}
    with chromium.context(**options) as context:
        tab = context.tab(f"{server.url}{PAGE}")
        for state in ("open", "waiting", "closed"):
            reason = "the server answered 503: " + "long_" * 20
            tab.evaluate("([s, reason]) => fake.set(s, {reason})", [state, reason])
            assert violations(tab) == []
            assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for path in ("/console/login", "/console/none"):
            base = locked.url if path == "/console/login" else server.url
            tab.goto(f"{base}{path}")
            assert violations(tab) == []
            assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        background = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(18, 22, 28)") == (scheme == "dark")


def test_the_keyboard(tab: Tab) -> None:
    """The first key shows a link that skips the navigation; the focus can be seen."""
    tab.call("keyboard.press", "Tab")
    assert tab.evaluate("document.activeElement.className") == "skip-link"
    assert tab.evaluate("getComputedStyle(document.activeElement).clipPath") == "none"
    tab.call("keyboard.press", "Enter")
    tab.wait_for("document.activeElement.id === 'main'")
    tab.evaluate("document.activeElement.blur()")
    focused = "document.activeElement.textContent.trim()"
    for _ in range(12):  # From the content, whose links may be there or not yet, to the beginning.
        tab.call("keyboard.press", "Tab")
        if tab.evaluate(focused) == "Streams":
            break
    assert tab.evaluate(focused) == "Streams"
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_without_scripts(chromium: Browser, server: ConsoleServer) -> None:
    """A browser without scripts gets a sentence that says what is missing."""
    with chromium.context(java_script_enabled=False) as context:
        tab = context.tab(f"{server.url}{PAGE}")
        assert "This console needs JavaScript" in tab.text("noscript")


def test_the_way_in_and_out(chromium: Browser, locked: ConsoleServer) -> None:
    """A page leads to the form. A right password leads back to the page; a button signs out."""
    with chromium.context() as context:
        tab = context.tab(f"{locked.url}/console/streams?find=a")
        assert tab.call("title") == "Sign in · sse-monolith"
        assert tab.evaluate("document.activeElement.id") == "password"
        assert tab.complaints == []
        tab.call("keyboard.type", "wrong")
        tab.call("keyboard.press", "Enter")
        assert tab.text("[role=alert]") == "The password is wrong. Type it again."
        tab.fill("#password", "correct horse")
        tab.click("form button")
        assert tab.text("h1") == "Streams"
        assert tab.call("url") == f"{locked.url}/console/streams?find=a"
        # Another site leads to a page: the browser withholds the cookie from that request only.
        other = context.tab("about:blank")
        other.goto(f"data:text/html,<a href={locked.url}/console/events>go</a>")
        other.click("a")
        other.wait_for("document.querySelector('h1')?.textContent === 'Events'")
        # The session ends. The next request of a page that is still open leads to the form.
        tab.click(".sign-out button")
        assert tab.text("h1") == "Sign in to the console"
        other.evaluate(f"() => {{ (async () => {{{MODULE} page.request('GET', '/none'); }})(); }}")
        other.wait_for("location.pathname === '/console/login'")
        other.wait_for("document.querySelector('[name=next]')")  # after the address
        assert other.evaluate("document.querySelector('[name=next]').value") == "/console/events"


def test_a_refused_stream_of_a_session_that_has_ended(
    chromium: Browser, locked: ConsoleServer
) -> None:
    """If the stream is refused because the session has ended, the page leads to the form."""
    with chromium.context() as context:
        tab = context.tab(f"{locked.url}/console/login?next=/console/events")
        tab.fill("#password", "correct horse")
        tab.click("form button")
        tab.wait_for("globalThis.fake")
        # The session is valid, so the refusal has another reason.
        tab.evaluate("fake.set('waiting', {status: 403, reason: 'the server answered 403'})")
        assert tab.evaluate(FAILURE, ["GET", "/session"]) == ["fine", {"signed_in": True}]
        assert tab.text("#connection-detail") == "the server answered 403"
        context.call("clear_cookies")
        tab.evaluate("fake.set('waiting', {status: 403, reason: 'the server answered 403'})")
        tab.wait_for("location.pathname === '/console/login'")
