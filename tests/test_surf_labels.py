"""Labels of people: what is read, what is refused and why, and that one bad row costs no other."""

from __future__ import annotations

import csv
import io
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.errors import InputError
from chunky.surf.labels import Labels, labels_of

FIRST, SECOND, THIRD, FOURTH = -9_223_372_036_854_775_807, 12, 13, 14
SCHEMA = {"failure_id": pl.Int64, "query": pl.String, "response": pl.String}
FAILURES = pl.DataFrame(
    [
        (FIRST, "Who are you?", "A pirate,\nof “course”."),
        (SECOND, "two  spaces", "x"),
        (THIRD, "two spaces", "x"),
        (FOURTH, "Ä", 'say "no"'),
        (FOURTH, "Ä", 'say "no"'),
    ],
    schema=SCHEMA,
    orient="row",
)


def read(text: str | bytes, rater: str = "labels") -> Labels:
    return labels_of(text.encode() if isinstance(text, str) else text, FAILURES, rater)


def rows(found: Labels) -> list[tuple[Any, ...]]:
    return sorted(found.ratings.rows())


def test_by_id() -> None:
    found = read(f"failure_id,rater,score\n{FIRST},anna,80\n+12, ben ,0\n13,,70.5\n\n13,anna,100\n")
    assert not found.unusable
    assert rows(found) == sorted([(FIRST, "anna", 80.0), (12, "ben", 0.0), (13, "labels", 70.5), (13, "anna", 100.0)])


def test_by_text_and_column_order_and_case_and_mark() -> None:
    text = '﻿Score,Response,note,QUERY\r\n80,"A pirate,\r\nof “course”.",hm,Who are you?\r\n7,"say ""no""",,Ä\r\n'
    assert rows(read(text)) == sorted([(FIRST, "labels", 80.0), (FOURTH, "labels", 7.0)])


def test_tabs() -> None:
    assert rows(read("failure_id\tscore\n12\t3\n")) == [(12, "labels", 3.0)]


def test_an_exact_text_is_found_before_one_with_other_white_space() -> None:
    found = read("query,response,score\ntwo  spaces,x,1\ntwo spaces,x,2\ntwo   spaces,x,3\n")
    assert rows(found) == [(12, "labels", 1.0), (13, "labels", 2.0)]
    assert [(each.line, each.problem) for each in found.unusable] == [
        (4, "two failures of the audit have this query and response")
    ]


def test_a_row_without_an_id_is_found_by_its_texts() -> None:
    found = read("failure_id,query,response,score\n,two spaces,x,5\n12,whatever,x,6\n,,,7\n")
    assert rows(found) == [(12, "labels", 6.0), (13, "labels", 5.0)]
    assert [each.line for each in found.unusable] == [4]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("12,anna,", "it has no score"),
        ("12,anna,high", "'high' is no number from 0 to 100"),
        ("12,anna,101", "'101' is no number"),
        ("12,anna,-1", "'-1' is no number"),
        ("12,anna,nan", "'nan' is no number"),
        ("12,anna,1e400", "is no number"),
        ('12,anna,"70,5"', "'70,5' is no number"),
        ("12,anna", "it has 2 fields, the header has 3"),
        ("12,anna,70,5", "it has 4 fields"),
        ("-9.22E+18,anna,70", "'-9.22E+18' is no failure_id"),
        (",anna,70", "it has no failure_id"),
        ("99,anna,70", "the audit has no failure with the failure_id 99"),
        (f"{'9' * 50},anna,70", "is no failure_id"),
        ("12,rules#1,70", "is named like the reading of a model"),
        ("12,an\x07na,70", "cannot be printed"),
        ('12,"anna,70', "it cannot be read"),
        ('12,"anna"x,70', "it cannot be read"),
    ],
)
def test_a_bad_row_says_what_is_wrong_and_costs_no_other(row: str, problem: str) -> None:
    found = read(f"failure_id,rater,score\n14,anna,1\n{row}\n14,ben,2\n")
    assert rows(found) == [(14, "anna", 1.0), (14, "ben", 2.0)]
    (bad,) = found.unusable
    assert bad.line == 3
    assert problem in bad.problem
    assert bad.remedy


def test_a_row_that_is_no_utf_8_is_told_by_its_line() -> None:
    found = read(b"failure_id,rater,score\n12,a\xffb,70\n13,c,80\n")
    assert rows(found) == [(13, "c", 80.0)]
    assert found.unusable[0].line == 2
    assert "UTF-8" in found.unusable[0].problem


def test_the_line_is_that_on_which_a_row_begins() -> None:
    found = read('query,response,score\n"a\nb",x,1\nÄ,"say ""no""",200\n')
    assert [each.line for each in found.unusable] == [2, 4]


def test_a_second_score_of_one_rater_is_refused_unless_it_is_the_same() -> None:
    found = read("failure_id,rater,score\n12,anna,70\n12,anna,70.0\n12,anna,71\n12,ben,71\n")
    assert rows(found) == [(12, "anna", 70.0), (12, "ben", 71.0)]
    assert [(each.line, each.problem) for each in found.unusable] == [
        (4, "anna scored this failure 70 on line 2 and 71 here")
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("failure_id,rater\n12,anna\n", "no column score"),
        ("query,score\na,1\n", "no column failure_id, or query and response"),
        ("a,b\n1,2\n", "no column score and no failure_id"),
        ("failure_id,score,score\n1,2,3\n", "two columns score"),
        ("failure_id;score\n12;3\n", "no column score"),
    ],
)
def test_a_file_without_a_header_is_an_error(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        read(text)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1, max_size=12)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(TEXTS.filter(str.strip), TEXTS.filter(str.strip), st.integers(0, 100)),
        min_size=1,
        max_size=6,
        unique_by=lambda each: (" ".join(each[0].split()), " ".join(each[1].split())),
    )
)
def test_what_a_csv_writer_wrote_is_read_again(given_rows: list[tuple[str, str, int]]) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
    writer.writerow(["query", "response", "score"])
    writer.writerows(given_rows)
    failures = pl.DataFrame([(n, *each[:2]) for n, each in enumerate(given_rows)], schema=SCHEMA, orient="row")
    found = labels_of(stream.getvalue().encode(), failures, "me")
    assert not found.unusable
    assert rows(found) == [(n, "me", float(each[2])) for n, each in enumerate(given_rows)]
