"""CSV files for German spreadsheets, with formulas defused."""

import pytest

from coaching_site.desk.csv_export import csv_response


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(start):
    content = csv_response("x.csv", ["Name"], [[f"{start}1+1"]]).content.decode()

    assert f"'{start}" in content


def test_spreadsheets_find_umlauts_and_columns():
    content = csv_response("x.csv", ["Name", "Ort"], [["Jörg; Müller", None]]).content.decode()

    assert content == '\ufeffName;Ort\r\n"Jörg; Müller";\r\n'


@pytest.mark.parametrize(
    ("cell", "written"),
    [("-42,02", "-42,02"), ("-1,00+1", "'-1,00+1"), ("-1", "'-1"), ("-1,00\n=1", '"\'-1,00\n=1"')],
)
def test_a_sum_below_zero_is_a_number_and_nothing_else_is(cell, written):
    content = csv_response("x.csv", ["Betrag"], [[cell]]).content.decode("utf-8-sig")

    assert content == f"Betrag\r\n{written}\r\n"
