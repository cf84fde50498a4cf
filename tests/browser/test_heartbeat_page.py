"""The heartbeat's page in headless Chromium: curves are seen, nothing is wider than the screen or said on the console,
text can be read in light and in dark, and hostile text stays text."""

import math

import pytest

from tests.heartbeat.heartbeat_states import write_log, write_snapshots, write_state, write_status
from wake2vec.heartbeat.page import write_page
from wake2vec.heartbeat.vitals import look

WIDTHS = (1200, 400)
SCRIPT = "<script>document.title='owned'</script><b>bold</b>"


def losses(last, every=10):
    """A log as training leaves it: loss falls, held-out loss falls and comes up again."""
    entries = []
    for step in range(every, last + 1, every):
        entries.append({"step": step, "loss": 2 + 3 * math.exp(-step / 80) + 0.1 * math.sin(step * 1.7)})
        if step % 50 == 0:
            entries.append({"step": step, "heldout_loss": 2.6 + 2.5 * math.exp(-step / 60) + step / 2000})
    return entries


def write_runs(folder):
    """Runs in every condition, one of them with a long and hostile name."""
    write_state(folder / "tiny/state/p1", 350, 400, state="finished", step=400, seconds_left=0)
    write_log(folder / "tiny/state/p1", losses(400))
    drive = {"url": "/content/drive/MyDrive/wake2vec/tiny/state/p2", "step": 100, "behind": 50}
    write_state(folder / "tiny/state/p2", 100, 150, tiers={"mirror": drive | {"error": "no space left on device"}})
    write_log(folder / "tiny/state/p2", losses(160))
    write_snapshots(folder / "tiny/state/p2", 50, 100, 150)
    llama = folder / "tinyllama-1.1b-notebook-with-a-name-that-is-longer/state/p1"
    write_state(llama, 12000, step=12345, steps=40000, age=1000, host="colab-7", pid=1234)
    write_log(llama, losses(12340))
    write_state(folder / f"{SCRIPT.replace('/', '')}/state/p3", state="stopped", message=f"{SCRIPT} at step 77")
    write_log(folder / f"{SCRIPT.replace('/', '')}/state/p3", losses(10))
    write_state(folder / "starting/state/p1")
    write_status(folder / "starting/state/p1", state="evaluating", step=0, loss=None, heldout_loss=None)
    write_log(folder / "starting/state/p1", [])
    return folder


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = write_runs(tmp_path_factory.mktemp("runs") / "results")
    write_page(look([str(folder)]), folder.parent / "page.html")
    return folder.parent / "page.html"


@pytest.fixture(scope="module", params=["light", "dark"])
def opened(request, browser, file):
    """(page, what it said on the console, what it asked for besides itself)."""
    page = browser.new_page(viewport={"width": 1200, "height": 900}, color_scheme=request.param)
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto(file.as_uri())
    yield page, said, asked
    page.close()


def test_nothing_is_said_or_fetched_and_hostile_text_is_text(opened):
    page, said, asked = opened
    assert said == [] and asked == [page.url]
    assert "owned" not in page.title() and page.query_selector("main script, main h2 b") is None
    assert f"{SCRIPT} at step 77" in page.inner_text("main")


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen(opened, width):
    page, _, _ = opened
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = page.evaluate(
        """() => [...document.querySelectorAll('section *')].filter(element => {
            const box = element.getBoundingClientRect(), card = element.closest('section').getBoundingClientRect()
            return box.right > card.right + 1 || box.left < card.left - 1
        }).map(element => element.outerHTML.slice(0, 80))"""
    )
    assert outside == []
    sizes = page.eval_on_selector_all(
        "section svg[role=img]", "drawings => drawings.map(d => 12 * d.getBoundingClientRect().width / 360)"
    )
    assert len(sizes) == 4 and all(11 <= size <= 20 for size in sizes)  # pixels of the text on the axes


@pytest.mark.parametrize("width", WIDTHS)
def test_no_two_texts_of_a_curve_cover_each_other(opened, width):
    page, _, _ = opened
    page.set_viewport_size({"width": width, "height": 900})
    covered = page.evaluate(
        """() => [...document.querySelectorAll('svg[role=img]')].flatMap(drawing => {
            const frame = drawing.getBoundingClientRect()
            const texts = [...drawing.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()])
            const out = texts.filter(([, b]) => b.left < frame.left - 1 || b.right > frame.right + 1 ||
                b.bottom > frame.bottom + 1).map(([t]) => t)
            return out.concat(texts.flatMap(([s, a], i) => texts.slice(i + 1).filter(([, b]) =>
                a.left < b.right && b.left < a.right && a.top < b.bottom - 3 && b.top < a.bottom - 3)
                .map(([t]) => s + ' / ' + t)))
        })"""
    )
    assert covered == []


def test_text_and_curves_stand_out_from_their_ground(opened):
    """WCAG: a contrast of 4.5 for text, 3 for what is drawn."""
    page, _, _ = opened
    contrasts = page.evaluate(
        """() => {
            const light = colour => {
                const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(c => c / 255)
                    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
                return 0.2126 * r + 0.7152 * g + 0.0722 * b
            }
            const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05)
            const ground = getComputedStyle(document.querySelector('section')).backgroundColor
            const of = (selector, property) => [...document.querySelectorAll(selector)]
                .map(e => [selector, ratio(getComputedStyle(e)[property], ground)])
            const words = 'section span, section dt, section dd, section li'
            return {text: of(words, 'color').concat(of('svg text', 'fill')),
                    drawn: of('path.loss, path.heldout_loss', 'stroke').concat(of('circle', 'fill'))}
        }"""
    )
    assert len(contrasts["text"]) > 50 and min(ratio for _, ratio in contrasts["text"]) >= 4.5
    assert len(contrasts["drawn"]) > 10 and min(ratio for _, ratio in contrasts["drawn"]) >= 3


def test_curves_have_a_legend_and_two_looks(opened):
    page, _, _ = opened
    card = page.query_selector("section:has(span:text-is('tiny p2'))")
    assert [e.inner_text().strip() for e in card.query_selector_all("figcaption > span")] == [
        "training loss",
        "held-out loss",
    ]
    dashes = [
        card.query_selector(f"svg[role=img] path.{name}").evaluate("e => getComputedStyle(e).strokeDasharray")
        for name in ("loss", "heldout_loss")
    ]
    assert dashes[0] == "none" and dashes[1] != "none"  # not by colour alone
    assert card.query_selector("svg[role=img]").get_attribute("aria-label").startswith("Loss by step: training loss ")
