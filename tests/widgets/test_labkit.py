"""The kit itself: what it refuses, and that code in the kernel answers."""

import pytest

from tests.widgets.labkit import LabPage


def test_addresses_outside_are_refused_and_recorded(page: LabPage):
    page.run(
        "from IPython.display import HTML\n"
        "HTML('<p class=kit>shown</p><img src=\"http://192.0.2.1/tile.png\">')"
    )
    page.wait_for_text(".kit", "shown")
    page.page.wait_for_function("() => document.querySelector('.kit + img').complete")
    assert set(page.refused) == {"http://192.0.2.1/tile.png"}


def test_code_in_the_kernel_answers_and_a_restart_forgets(page: LabPage):
    page.run("value = 21")
    assert page.execute("print(value * 2)") == "42\n"
    page.restart_kernel()
    with pytest.raises(AssertionError, match="NameError"):
        page.execute("value")
    page.assert_quiet()
