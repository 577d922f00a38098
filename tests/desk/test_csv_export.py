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
