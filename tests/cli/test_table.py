"""Tables and paragraphs: at every width no line is longer, and no word is broken that fits."""

from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from cordyna_cli.render.layout.paragraph import cut, wrapped
from cordyna_cli.render.layout.table import Column, aligned, aligned_rows

WORD = st.text(st.sampled_from("abcdefgh-_.:äß語"), min_size=1, max_size=12)
SENTENCE = st.lists(WORD, max_size=12).map(" ".join)
WIDTH = st.integers(20, 200)
COLUMNS = (
    Column("name", yields=1),
    Column("server", yields=3),
    Column("state"),
    Column(align="right"),
    Column(yields=4),
)
ROW = st.tuples(WORD, SENTENCE, st.sampled_from(["ok", "error"]), WORD, SENTENCE)


def words_of(text: str) -> set[str]:
    return {word.rstrip("…,;:") for word in text.split()} - {""}


@given(rows=st.lists(ROW, max_size=8), width=WIDTH)
def test_table_never_breaks_words_and_fits(rows: list[tuple[str, ...]], width: int) -> None:
    assert all(line.cell_len <= width for line in aligned(COLUMNS, rows, width))
    lines = [line for row in aligned_rows(COLUMNS, rows, width) for line in row]

    assert all(line.cell_len <= width for line in lines)
    source = words_of(" ".join(column.title for column in COLUMNS))
    for row in rows:
        source |= words_of(" ".join(row))
    # What never yields here takes 33 columns at most: a wider line has room for whole words.
    if width >= 60:
        assert set().union(*(words_of(row[0]) for row in rows)) <= words_of(
            " ".join(line.plain for line in lines)
        )
        assert words_of(" ".join(line.plain for line in lines)) <= source


@given(rows=st.lists(ROW, max_size=8))
def test_table_without_width_cuts_nothing(rows: list[tuple[str, ...]]) -> None:
    text = "\n".join(line.plain for line in aligned(COLUMNS, rows))

    assert "…" not in text
    assert all(cell in text for row in rows for cell in row)


@given(sentence=SENTENCE, indent=st.integers(0, 8), width=WIDTH)
def test_wrapped_sentence_keeps_every_word_whole(sentence: str, indent: int, width: int) -> None:
    lines = wrapped(Text(" " * indent + sentence), width)

    assert all(line.cell_len <= width for line in lines)
    # A word of this test has at most 24 columns.
    if width >= 24:
        assert [word for line in lines for word in line.plain.split()] == sentence.split()


@given(sentence=SENTENCE, width=st.integers(1, 60))
def test_cut_text_ends_between_words(sentence: str, width: int) -> None:
    shown = cut(Text(sentence), width)

    assert shown.cell_len <= width
    first = sentence.split(maxsplit=1)[0] if sentence.split() else ""
    if width > Text(first).cell_len:
        assert words_of(shown.plain) <= words_of(sentence)


def test_table_wraps_prose_below_its_column() -> None:
    columns = (Column("task", yields=1), Column("upstream", yields=2, prose="wrap"))

    lines = aligned(columns, [("report", "orders, customers, rates")], 25)

    assert [line.plain for line in lines] == [
        "task    upstream",
        "report  orders,",
        "        customers, rates",
    ]


def test_title_of_several_words_is_quoted_where_it_is_left_out() -> None:
    columns = (Column("task", yields=1), Column("waits for it", yields=2))

    note = aligned(columns, [("quarterly-report", "sales-server")], 20)[2]

    assert note.plain.startswith('no room for "waits')


def test_table_leaves_out_whole_columns_by_their_rank() -> None:
    columns = (Column("task", yields=1), Column("server", yields=2), Column("owner", yields=3))
    row = ("quarterly-report", "sales-server", "team-sales")

    shown = [aligned(columns, [row], width) for width in (42, 41, 30, 29)]
    assert [line.plain for line in shown[1][2:]] == [
        "no room for owner: widen the terminal, or",
        "  --json",
    ]
    assert "no room for server, owner:" in shown[3][2].plain
    assert [lines[1].plain.split() for lines in shown] == [
        ["quarterly-report", "sales-server", "team-sales"],
        ["quarterly-report", "sales-server"],
        ["quarterly-report", "sales-server"],
        ["quarterly-report"],
    ]


def test_table_gives_a_long_name_a_line_of_its_own() -> None:
    columns = (Column("task", yields=1), Column("state"))

    lines = aligned(columns, [("a-rather-long-name", "completed"), ("b", "error")], 20)

    assert [line.plain for line in lines] == [
        "task       state",
        "a-rather-long-name",
        "           completed",
        "b          error",
    ]


def test_word_that_fits_into_no_line_does_not_cost_its_column() -> None:
    columns = (Column("name", yields=1), Column("what", yields=2, prose="wrap"))

    lines = [str(line) for line in aligned(columns, [("a", f"too {'x' * 99}")], 40)]

    assert lines[0].split() == ["name", "what"]
    assert "".join(lines[1:]).count("x") == 99
    assert all(len(line) <= 40 for line in lines)
