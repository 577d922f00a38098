"""What changed, in paragraphs a person can read."""

from pages.comparing import IN, OUT, SAME, Part, compare


def test_nothing_changed_is_nothing_to_read():
    assert compare("Eins\n\nZwei", "Eins\n\n\nZwei\n") == []


def test_a_changed_word_is_shown_in_its_sentence():
    assert compare("Eins\n\nIch zahle 10 Euro an.", "Eins\n\nIch zahle 20 Euro an.") == [
        [
            Part("Ich zahle ", SAME),
            Part("10", OUT),
            Part("20", IN),
            Part(" Euro an.", SAME),
        ]
    ]


def test_paragraphs_that_have_nothing_in_common_are_not_mixed():
    changes = compare("Über das Wetter.", "Zahlung: nur mit Karte, sofort fällig")

    assert [part.change for paragraph in changes for part in paragraph] == [OUT, IN]


def test_what_came_and_what_went_stands_whole():
    assert compare("A\n\nB", "A\n\nB\n\nC") == [[Part("C", IN)]]
    assert compare("A\n\nB\n\nC", "A\n\nC") == [[Part("B", OUT)]]
