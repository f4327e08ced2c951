"""The calculator in a browser: it says what the package says, between the precomputed points."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from hub_costs.estimates import prices
from hub_costs.whatif import arrivals
from hub_costs.whatif.budget_answer import Load, lean_hub, serving
from tests.book.conftest import SIZES

# Style, people, memory (GiB), share of room: none of them a row of the table.
BETWEEN = [("class", 50, 4.0), ("class", 140, 9.0), ("group", 50, 4.0), ("group", 25, 2.5)]
MOST_KB = 300


@pytest.fixture(params=SIZES)
def page(request: pytest.FixtureRequest, browser: Browser, address: str) -> Page:
    width, height = SIZES[request.param]
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(f"{address}/calculator.html")
    return page


def put(page: Page, **values: object) -> None:
    for name, value in values.items():
        field = page.locator(f"#calculator [name={name}]")
        if field.evaluate("one => one.tagName") == "SELECT":
            field.select_option(str(value))
        else:
            field.fill(str(value))


def usd(page: Page, part: str) -> float:
    row = page.locator("#calculator-parts tr", has_text=part)
    return float(row.locator("td").inner_text().removesuffix(" USD").replace(",", ""))


def total(page: Page) -> float:
    text = page.locator("#calculator-total").inner_text()
    return float(text.removesuffix(" USD").replace(",", ""))


@pytest.mark.parametrize(("style", "people", "memory"), BETWEEN)
def test_it_agrees_with_the_package_between_the_modelled_points(
    browser: Browser, address: str, style: str, people: int, memory: float
) -> None:
    page = browser.new_page()
    page.goto(f"{address}/calculator.html")
    put(page, style=style, people=people, memory=memory, homes=5, wait=600, dask=0, gpu=0)
    load = Load(style, memory_gib=memory, cpu_cores=memory / 4, home_gib=5)
    found = []
    for seed in (1, 2, 3):
        sessions = arrivals.generate(load.of(people), seed)
        configs = [
            lean_hub(load, people, 0, kind) for kind in ("m5.xlarge", "r5.xlarge", "r5.2xlarge")
        ]
        found.append(
            min(way.usd_per_month for way in serving(sessions, configs, 600, prices.read()))
        )
    # What data/calculator.csv says of its worst random case.
    assert total(page) == pytest.approx(float(sorted(found)[1]), rel=0.25)


def test_the_floor_is_the_packages_to_the_cent(page: Page) -> None:
    put(page, style="class", people=20, memory=4, homes=0, dask=0, gpu=0)
    load = Load("class", memory_gib=4, home_gib=0)
    sessions = arrivals.generate(load.of(20), 1)
    (way,) = serving(sessions, [lean_hub(load, 20)], 600, prices.read())
    floor = page.locator("#calculator-floor").inner_text().removesuffix(" USD").replace(",", "")
    assert float(floor) == pytest.approx(float(way.floor_usd_per_month), abs=0.51)


def test_the_address_holds_what_was_put_in(page: Page) -> None:
    put(page, people=33, memory=3, budget=1234)
    before, where = total(page), page.url
    assert "people=33" in where
    put(page, people=44)
    page.goto("about:blank")
    page.goto(where)
    assert total(page) == before
    assert page.locator("[name=budget]").input_value() == "1234"


def test_a_hackweek_is_priced_for_its_days(page: Page) -> None:
    put(page, style="hackweek", people=80, memory=4, homes=0, dask=0, gpu=0)
    assert "for the five days" in page.locator("#calculator-answer").inner_text()
    assert usd(page, "control plane") == pytest.approx(0.10 * 120, abs=0.01)
    assert "per month" not in page.locator("#calculator-savings").inner_text()
    others = page.locator("#calculator-others td").all_inner_texts()
    always, weekly = (float(text.removesuffix(" USD").replace(",", "")) for text in others[:2])
    assert weekly < always  # forty hours of one week, not of a month


def test_another_region_scales_all_but_the_control_plane(page: Page) -> None:
    put(page, style="group", people=80, memory=4, dask=1000, gpu=10)
    fixed, before = usd(page, "control plane"), total(page)
    put(page, region=150)
    assert usd(page, "control plane") == fixed
    assert total(page) == pytest.approx(fixed + 1.5 * (before - fixed), abs=2)


def test_absurd_input_is_bounded_and_never_shows_a_number_that_is_none(page: Page) -> None:
    for value in ("", "-5", "1e9", "0"):
        put(page, people=value)
        text = page.locator("#calculator-answer").inner_text()
        assert "NaN" not in text
        assert "Infinity" not in text
    page.goto(page.url.split("#")[0] + "#people=x&wait=%00&style=nothing")
    page.reload()
    assert "NaN" not in page.locator("#calculator-answer").inner_text()


def test_more_budget_supports_no_fewer_people(page: Page) -> None:
    put(page, style="class", memory=2, wait=300)
    supported = []
    for budget in (400, 800, 1600):
        put(page, budget=budget)
        supported.append(int(page.locator("#calculator-supported").inner_text().split()[0]))
    assert supported == sorted(supported)
    assert supported[0] < supported[-1]


def test_it_works_from_the_keyboard_and_gives_a_file(page: Page) -> None:
    page.locator("[name=people]").focus()
    page.keyboard.press("ArrowUp")
    assert page.locator("[name=people]").input_value() == "41"
    with page.expect_download() as download:
        page.locator("#calculator-csv").click()
    text = Path(download.value.path()).read_text()
    assert text.startswith("part,usd_per_month\n")
    assert len(text.splitlines()) > 5


def test_what_it_adds_to_the_page_is_small(html: Path) -> None:
    text = (html / "calculator.html").read_text()
    script = (html / "calculator.js").stat().st_size
    embedded = sum(
        len(part.split("</script>")[0]) for part in text.split('type="application/json"')[1:]
    )
    assert embedded > 1000
    assert (embedded + script) / 1000 < MOST_KB
    json.loads(text.split('calculator-grid-rows">')[1].split("</script>")[0])
