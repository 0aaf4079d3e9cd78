"""The page in a real browser: what a person sees, in both themes, on a narrow window, on paper; a trace that would do harm; a hundred
thousand ranges; keys and pointer."""

import re

from browser import Browser
from support import page_with, report, run_all, traces

browser = Browser()

# Texts of a picture that lie on each other, or outside of it. A label in a bar and the page's own texts are no matter here.
MISPLACED = """[...document.querySelectorAll("main svg")].flatMap((picture) => {
    const frame = picture.getBoundingClientRect(), found = [];
    const texts = [...picture.querySelectorAll("text")].filter((one) => one.textContent).map((one) => [one.textContent, one.getBoundingClientRect()]);
    texts.forEach(([text, box], i) => {
        if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1) found.push(text + " is cut off");
        for (const [other, place] of texts.slice(i + 1))
            if (Math.min(box.right, place.right) - Math.max(box.left, place.left) > 1 && Math.min(box.bottom, place.bottom) - Math.max(box.top, place.top) > 3) found.push(text + " lies on " + other);
    });
    return found;
})"""

# The least contrast of a text with what is behind it (WCAG 2), and which text that is.
CONTRAST = """(() => {
    const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = (color) => { const [r, g, b] = numbers(color).map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4)); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
    const behind = (node) => { for (; node; node = node.parentElement) { const color = getComputedStyle(node).backgroundColor, parts = numbers(color); if (parts.length < 4 || parts[3] > 0) return color; } return "rgb(255,255,255)"; };
    let least = [99, ""];
    for (const node of document.querySelectorAll("body *")) {
        if (!node.getClientRects().length || ![...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim())) continue;
        const style = getComputedStyle(node), isPicture = node.tagName === "text";
        let ground = behind(node);
        if (node.classList.contains("in")) ground = getComputedStyle(node.closest("g").querySelector("path." + [...node.classList].find((name) => name.startsWith("in-")).slice(3))).fill;
        if (!ground.startsWith("rgb")) continue;
        const found = ratio(isPicture ? style.fill : style.color, ground);
        if (found < least[0]) least = [found, node.textContent.slice(0, 40)];
    }
    return least;
})()"""


def quiet(page):
    assert page.complaints() == [], page.complaints()


def shown(page):
    return " ".join(page.text().split())


def test_a_slow_item_a_crash_and_a_copy_are_named_on_top():
    file = report(traces.three_things())
    for width in (1280, 700, 390):
        for dark in (False, True):
            with browser.page(width, 900, dark) as page:
                assert page.open(file) == "ready", page.text()
                top = page.evaluate("document.getElementById('headline').innerText")
                assert top == "2.58 s, 4 workers 38 % busy. Item 71 took 1.2 s, 44 × the median. Item 12 crashed with SIGSEGV in crash_here. Copying inputs took 34 %.", top
                # All of it is in the first window.
                assert page.evaluate("document.getElementById('headline').getBoundingClientRect().bottom") < 900
                text = shown(page)
                for words in ("Item 71 ran alone for the last 949 ms", "34 % of the time went into copying inputs", "a mape_buffer in C", "crash_here (scene.c:42) in libscene.so", "SIGSEGV in crash_here"):
                    assert words in text, (words, text)
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                assert re.match(r"render · 1[789] Nov 2026, \d\d:\d\d:\d\d$", page.evaluate("document.getElementById('origin').innerText"))
                assert page.evaluate(MISPLACED) == []
                least = page.evaluate(CONTRAST)
                assert least[0] >= 4.5, (dark, least)
                assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == ("dark" if dark else "light")
                quiet(page)


def test_the_switch_turns_the_theme_and_paper_stays_light():
    with browser.page() as page:
        page.open(report(traces.three_things()))
        ground = "getComputedStyle(document.body).backgroundColor"
        before = page.evaluate(ground)
        assert page.evaluate("document.getElementById('theme').innerText") == "Dark"
        page.evaluate("document.getElementById('theme').click()")
        assert page.evaluate(ground) != before and page.evaluate("document.getElementById('theme').innerText") == "Light"
        page.call("Emulation.setEmulatedMedia", media="print")
        assert page.evaluate("getComputedStyle(document.getElementById('headline')).color") == "rgb(27, 36, 48)"
        assert page.evaluate("getComputedStyle(document.getElementById('theme')).display") == "none"
        page.call("Emulation.setEmulatedMedia", media="")
        page.evaluate("document.getElementById('theme').click()")
        assert page.evaluate(ground) == before
        # It is kept for the next report.
        page.evaluate("document.getElementById('theme').click()")
        page.open(report(traces.three_things()))
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.evaluate("localStorage.clear()")
        quiet(page)


def test_paper():
    trace = traces.three_things()
    trace.crash(1, 1, 13, 1_000_000_000, symbol="other_place in libscene.so")
    with browser.page() as page:
        page.open(report(trace))
        page.evaluate("addEventListener('beforeprint', () => { window.printed = [document.querySelectorAll('details:not([open])').length, document.querySelector('.gantt svg').getAttribute('width')]; })")
        assert page.evaluate("document.querySelectorAll('details:not([open])').length") == 1
        made = page.pdf()
        assert made.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", made)) >= 2
        assert page.evaluate("window.printed") == [0, "660"]
        page.wait("document.querySelectorAll('details:not([open])').length === 1 && document.querySelector('.gantt svg').clientWidth > 700")
        quiet(page)


def test_names_that_are_html_are_shown_as_they_are():
    with browser.page() as page:
        assert page.open(report(traces.hostile())) == "ready"
        assert "owned" not in page.evaluate("document.title.replace(/.img src=x onerror=.document.title='owned'..../, '').replace(/.script.document.title='owned'.*/, '')"), page.evaluate("document.title")
        assert page.evaluate("document.querySelectorAll('img, b, iframe, link, object, embed').length") == 0
        assert page.evaluate("document.scripts.length") == 1
        text = shown(page)
        assert text.count("<img src=x onerror=") >= 5 and "</pre><script>document.title='owned'</script>" in text, text
        # What would turn the text around is not there.
        assert "\u202e" not in page.evaluate("document.body.textContent")
        quiet(page)


def test_no_script_runs_but_the_page_s_own():
    with browser.page() as page:
        page.open(report(traces.three_things()))
        page.evaluate("""(() => { const made = document.createElement('script'); made.textContent = 'window.strange = 1'; document.body.append(made);
            document.body.insertAdjacentHTML('beforeend', '<img src="https://example.org/x.png" onerror="window.strange = 2">'); })()""")
        page.wait("document.images.length === 1 && document.images[0].complete")
        assert page.evaluate("window.strange") is None
        assert any("Content Security Policy" in one for one in page.complaints()), page.complaints()


def test_a_hundred_thousand_ranges():
    with browser.page() as page:
        assert page.open(report(traces.many(100_000))) == "ready"
        assert "1,600,000" in page.text() and "8 workers 92 % busy" in page.text()
        # As many elements as the picture has columns for, not as there are ranges.
        assert page.evaluate("document.querySelectorAll('*').length") < 2000
        page.evaluate("for (let i = 0; i < 12; i++) document.querySelector('.tools button').click()")
        assert page.evaluate("document.querySelectorAll('.gantt .in').length") > 0
        assert page.evaluate(MISPLACED) == []
        quiet(page)


def mouse(page, kind, x, y, **more):
    page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)


def test_pointer_and_keys_show_parts():
    with browser.page() as page:
        page.open(report(traces.three_things()))
        page.evaluate("document.querySelector('.gantt').scrollIntoView({ block: 'center' })")
        left, top = page.evaluate("(() => { const box = document.querySelector('.gantt').getBoundingClientRect(); return [box.left, box.top]; })()")
        window = "document.querySelector('.tools .window').innerText"
        assert page.evaluate(window) == ""
        # The row of worker 3, where its slow item runs.
        row = top + 4 + 4.4 * 26
        mouse(page, "mouseMoved", left + 900, row)
        hover = page.wait("!document.getElementById('hover').hidden && document.getElementById('hover').innerText")
        assert "bake: item 71" in hover and "1.2 s from" in hover and "worker 3 (pid 4003), job 1" in hover, hover
        mouse(page, "mousePressed", left + 500, row, button="left", clickCount=1)
        mouse(page, "mouseMoved", left + 700, row, button="left", buttons=1)
        assert page.evaluate("document.querySelector('.gantt .drawn').getAttribute('width')") == "200"
        mouse(page, "mouseReleased", left + 700, row, button="left", clickCount=1)
        first = page.wait(window)
        # Names stand on the left, 120 pixels wide; 12 are left on the right.
        room = page.evaluate("document.querySelector('.gantt').clientWidth") - 132
        expected = [round((x - 120) / room * 2.582, 2) for x in (500, 700)]
        found = [float(number) for number in re.fullmatch(r"([\d.]+) s to ([\d.]+) s", first).groups()]
        assert all(abs(a - b) < 0.03 for a, b in zip(expected, found)), (first, expected)
        # And by keys.
        page.evaluate("document.querySelector('.gantt').focus()")
        seen = [first]
        for key in ("+", "ArrowRight", "ArrowLeft", "-"):
            page.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=key if len(key) == 1 else "")
            page.call("Input.dispatchKeyEvent", type="keyUp", key=key)
            seen.append(page.evaluate(window))
        assert len(set(seen)) == 3 and seen[1] == seen[3] and seen[0] == seen[4], seen
        page.call("Input.dispatchKeyEvent", type="keyDown", key="0", text="0")
        assert page.evaluate(window) == ""
        mouse(page, "mouseMoved", 5, 5)
        page.wait("document.getElementById('hover').hidden")
        quiet(page)


def test_a_moment_in_a_long_trace_is_shown_closer():
    trace = traces.Trace(2)
    job = trace.job("work", began=500_000_000)
    for number in range(40):
        trace.range(number % 2, job, number, 1, 500_000_000 + number // 2 * 1_000_000, 1_000_000)
    trace.end = 2_000_000_000
    with browser.page() as page:
        page.open(report(trace))
        assert page.evaluate("document.querySelector('.tools .window').innerText") == "499 ms to 521 ms"
        assert "20 ms with work in 2 s, 2 workers 100 % busy" in page.text()
        page.evaluate("document.querySelector('[title=\"Show all\"]').click()")
        assert page.evaluate("document.querySelector('.tools .window').innerText") == ""
        quiet(page)


def test_people_who_do_not_see_the_pictures():
    with browser.page() as page:
        page.open(report(traces.three_things()))
        assert page.evaluate("document.documentElement.lang") == "en"
        # Each picture says what it shows, or is said to be of no use to those.
        assert page.evaluate("""[...document.querySelectorAll("main svg")].filter((one) => !one.closest("[aria-hidden=true]") && !(one.getAttribute("role") === "img" && one.getAttribute("aria-label"))).length""") == 0
        assert page.evaluate("""[...document.querySelectorAll("button")].every((one) => one.innerText.trim() || one.getAttribute("aria-label"))""")
        assert page.evaluate("""[...document.querySelectorAll("section")].every((one) => document.getElementById(one.getAttribute("aria-labelledby"))?.innerText)""")
        assert page.evaluate("""[...document.querySelectorAll("table")].every((one) => one.caption?.textContent)""")
        levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((one) => Number(one.tagName[1]))")
        assert levels[0] == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:])), levels


def test_functions_are_looked_at_one_by_one():
    trace = traces.three_things()
    other = trace.job("denoise", began=2_580_000_000)
    for number in range(40):
        trace.range(number % 4, other, number, 1, 2_580_000_000 + number // 4 * 1_000_000, 900_000)
    with browser.page() as page:
        page.open(report(trace))
        highest = "document.querySelector('.histogram svg').getAttribute('aria-label')"
        page.evaluate("(() => { const choice = document.querySelector('.choice select'); choice.value = '1'; choice.dispatchEvent(new Event('change')); })()")
        assert page.evaluate(highest) == "Histogram of item times of denoise: median 900 µs, 99 of 100 below 900 µs, slowest 900 µs."
        assert page.evaluate(MISPLACED) == []
        assert "item 71 of job 1" in page.text()
        quiet(page)


def test_other_layouts_and_broken_traces():
    import json

    document = traces.three_things().document()
    with browser.page() as page:
        # One that was laid out anew by another program.
        assert page.open(page_with(json.dumps(document, indent=1))) == "ready"
        assert "Item 71 took 1.2 s" in page.text()
        for text, words in (("", "the file was empty"), ("hello", "no trace of MapEngine, or it is cut off"), (traces.three_things().text(schema=9), "has schema 9; this report reads schema 1")):
            assert page.open(page_with(text)) == "failed"
            assert "This trace cannot be shown" in page.text() and words in page.text(), page.text()
        quiet(page)


if __name__ == "__main__":
    try:
        run_all(globals())
    finally:
        browser.__exit__()
