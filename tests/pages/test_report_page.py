"""The report's page in a real browser."""

import re

import pytest

pytestmark = pytest.mark.browser


@pytest.fixture
def page(made, opened):
    return opened(made[0] / "report.html")


def cells(page, column):
    return page.locator(f"#rows tbody tr:visible > :nth-child({column})").all_inner_texts()


def test_it_asks_for_nothing_and_has_no_errors(page):
    page.wait_for_load_state("networkidle")
    assert page.trouble == []


def test_scripts_and_styles_of_others_are_forbidden(page):
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.bad = 1'}))"
    )
    page.evaluate("document.body.append(Object.assign(new Image(), {src: 'https://example.com/picture.png'}))")
    page.wait_for_timeout(200)
    assert page.evaluate("window.bad") is None
    assert len([one for one in page.trouble if "Content Security Policy" in one]) == 2


def test_the_score_is_on_top(page, made):
    record = made[1]
    top = page.locator("header").inner_text().replace("\u00a0", " ")
    assert record.submission.name in top
    assert f"{record.unlearned.score.value:.4f}" in top
    assert f"95% confidence interval {record.interval[0]:.4f} to {record.interval[1]:.4f}" in top
    assert "% of the ceiling" in top


def test_every_example_is_there_the_worst_first(page, made):
    record = made[1]
    shown = cells(page, 3)
    expected = sorted(record.unlearned.epsilon.examples, reverse=True)
    assert shown == ["∞" if one >= 50 else f"{one:.2f}" for one in expected]
    assert {int(re.search(r"\d+", one)[0]) for one in cells(page, 1)} == {one.id for one in record.examples}
    assert page.locator("#rows img").count() == len(record.examples)
    assert page.locator("#rows td svg").count() == len(record.examples)


def test_columns_sort_both_ways(page):
    heading = page.locator("th[data-sort=retrained]")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    found = [float(one) for one in cells(page, 5)]
    assert found == sorted(found, reverse=True)
    assert page.locator("[aria-sort]").count() == 1
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    found = [float(one) for one in cells(page, 5)]
    assert found == sorted(found)


def test_it_works_with_the_keyboard_alone(page):
    page.locator("th[data-sort=unlearned] button").focus()
    page.keyboard.press("Enter")
    found = [float(one) for one in cells(page, 4)]
    assert found == sorted(found, reverse=True)


def test_a_class_can_be_chosen(page, made):
    labels = [one.label for one in made[1].examples]
    page.get_by_label("class").select_option("4")
    assert set(cells(page, 2)) == {"4"}
    assert len(cells(page, 2)) == labels.count("4")
    page.get_by_label("class").select_option("all")
    assert len(cells(page, 2)) == len(labels)


def test_without_scripts_everything_can_be_read(made, opened):
    page = opened(made[0] / "report.html", java_script_enabled=False)
    assert len(cells(page, 3)) == len(made[1].examples)
    assert page.locator("#filters").inner_text() == ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_nothing_is_in_the_way_of_anybody(made, opened, scheme, width):
    """No rule of axe-core is violated, in either colour scheme, on a screen and on a telephone."""
    from axe_playwright_python.sync_playwright import Axe

    page = opened(made[0] / "report.html", color_scheme=scheme, viewport={"width": width, "height": 800})
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_printed_page_has_every_row(page, made, tmp_path):
    from pypdf import PdfReader

    page.pdf(path=tmp_path / "page.pdf", format="A4")
    sheets = [sheet.extract_text() for sheet in PdfReader(tmp_path / "page.pdf").pages]
    printed = "\n".join(sheets)
    assert all(str(one.id) in printed for one in made[1].examples)
    # The heading of a table that is continued is repeated, and its last column is not cut off.
    continued = [sheet for sheet in sheets if "% right" in sheet]
    assert len(continued) > 1
    assert all("strongest rule" in sheet for sheet in continued)


def test_a_language_model_is_shown_with_what_was_asked_and_what_it_says(made_of_text, opened):
    from axe_playwright_python.sync_playwright import Axe

    folder, record = made_of_text
    page = opened(folder / "report.html")
    asked = [one for one in record.text.conversations if one.example is not None]
    assert cells(page, 4).count("∞") == sum(one.epsilon >= 50 for one in asked)
    rows = page.locator("#rows tbody").inner_text().replace("\u00a0", " ")
    for one in asked:
        assert one.question in rows
        assert f"unlearned: {100 * one.unlearned[0].share:.0f}% {one.unlearned[0].text}" in rows
    assert Axe().run(page).violations_count == 0
    assert page.evaluate("document.querySelector('.scroll:has(#rows)').scrollWidth") <= 1100


def test_what_a_model_says_stays_with_its_example(made_of_text, opened):
    page = opened(made_of_text[0] / "report.html")
    page.locator("th[data-sort=retrained] button").click()
    rows = page.locator("#rows tbody tr").all()
    assert ["said" in (row.get_attribute("class") or "") for row in rows] == [False, True] * (len(rows) // 2)
    asked = {one.question: one for one in made_of_text[1].text.conversations}
    for row, said in zip(rows[::2], rows[1::2], strict=True):
        question = row.locator("th").inner_text().rsplit(" ", 1)[0]
        assert f"original: {asked[question].original}" in said.inner_text()


def test_it_is_small(made):
    assert len((made[0] / "report.html").read_bytes()) <= 200_000
