"""Tables and paragraphs: at every width no line is longer, and no word is broken that fits."""

from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from cordyna_cli.render.layout.paragraph import cut, wrapped
from cordyna_cli.render.layout.table import Column, aligned, aligned_rows, goes_below

WORD = st.text(st.sampled_from("abcdefgh-_.:äßñé"), min_size=1, max_size=12)
WIDE = st.text(st.sampled_from("語汇总报告。、」"), min_size=1, max_size=40)
SENTENCE = st.lists(WORD, max_size=12).map(" ".join)
WIDTH = st.integers(20, 200)
COLUMNS = (
    Column("name", yields=1),
    Column("server", yields=3),
    Column("state"),
    Column(align="right"),
    Column(yields=4),
    Column("description", yields=5, prose="wrap"),
)
ROW = st.tuples(WORD, SENTENCE, st.sampled_from(["ok", "error"]), WORD, SENTENCE, SENTENCE)


def words_of(text: str) -> set[str]:
    return {word.rstrip("…,;:") for word in text.split()} - {"", "·"}


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
        shown = words_of(" ".join(line.plain for line in lines))
        assert set().union(*(words_of(" ".join(row)) for row in rows)) <= shown <= source


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
    if width > max((Text(word).cell_len for word in sentence.split()), default=0):
        assert words_of(shown.plain) <= words_of(sentence)


@given(before=SENTENCE, width=st.integers(8, 60), more=st.integers(1, 200))
def test_word_wider_than_a_line_is_broken_and_shown(before: str, width: int, more: int) -> None:
    text = Text(f"  {before} {'y' * (width + more)} after")

    lines = wrapped(text, width)
    shown = cut(Text(f"Error: {'y' * (width + more)}"), width)

    assert all(line.cell_len <= width for line in lines)
    broken = [line.plain for line in lines if "y" in line.plain]
    assert "".join(broken).count("y") == text.plain.count("y")
    assert all(line.startswith(" ") for line in broken)
    assert shown.cell_len == width


def test_table_wraps_prose_below_its_column() -> None:
    columns = (Column("task", yields=1), Column("upstream", yields=2, prose="wrap"))

    lines = aligned(columns, [("report", "orders, customers, rates")], 25)

    assert [line.plain for line in lines] == [
        "task    upstream",
        "report  orders,",
        "        customers, rates",
    ]


def test_columns_without_room_go_below_by_their_rank() -> None:
    columns = (Column("task", yields=1), Column("server", yields=2), Column("owner", yields=3))
    row = ("quarterly-report", "sales-server", "team-sales")

    shown = [[str(line) for line in aligned(columns, [row], width)] for width in (42, 41, 30, 27)]

    assert shown[0][1:] == ["quarterly-report  sales-server  team-sales"]
    assert shown[1] == [
        "task              server",
        "quarterly-report  sales-server",
        "  owner team-sales",
    ]
    assert shown[2] == shown[1]
    # What the wider column leaves is enough for the other one.
    assert shown[3] == [
        "task",
        "quarterly-report",
        "  server sales-server ·",
        "    owner team-sales",
    ]


def test_column_fits_beside_where_a_wider_one_went_below() -> None:
    columns = (Column("task", yields=1), Column("needs", yields=2), Column("owner", yields=3))

    lines = aligned(columns, [("report", "orders-of-today", "me"), ("b", "", "you")], 20)

    assert [line.plain for line in lines] == [
        "task    owner",
        "report  me",
        "  needs",
        "    orders-of-today",
        "b       you",
    ]


def test_column_stays_beside_where_long_names_are_above() -> None:
    columns = (Column("run"), Column("task", yields=1), Column("created", yields=2))

    lines = aligned(columns, [("1A", "n" * 40, "03:04:05Z"), ("1B", "short", "03:04:06Z")], 40)

    assert [line.plain for line in lines] == [
        "run  task" + " " * 22 + "created",
        "n" * 40,
        "1A" + " " * 29 + "03:04:05Z",
        "1B   short" + " " * 21 + "03:04:06Z",
    ]


def test_optional_column_without_room_is_left_out() -> None:
    columns = (Column("created", yields=1), Column(yields=2, optional=True))

    assert [str(line) for line in aligned(columns, [("03:04:05Z", "10 s ago")], 15)] == [
        "created",
        "03:04:05Z",
    ]


def test_long_prose_goes_below_before_it_takes_many_lines() -> None:
    columns = (Column("task", yields=1), Column("what", yields=2, prose="wrap"))

    short, long = (aligned(columns, [("a" * 20, "so " * n)], 40) for n in (12, 60))

    assert [line.plain[:20].strip() for line in short] == ["task", "a" * 20, ""]
    assert long[2].plain.startswith("  what so so so so so so so")
    assert all(line.cell_len <= 40 for line in long)


def test_cut_column_below_its_row_takes_one_line() -> None:
    columns = (Column(yields=1), Column(yields=2, prose="cut"))
    rows = [("a" * 30, "ValueError: no such day in the table of orders"), ("b", "")]

    lines = aligned_rows(columns, rows, 40, indents=[Text("│ "), Text("  ")])

    assert [[str(line) for line in row] for row in lines] == [
        ["a" * 30, "│ ValueError: no such day in the table…"],
        ["b"],
    ]
    assert goes_below(columns, rows, 40)
    assert not goes_below(columns, rows, 90)


@given(words=st.lists(WIDE, min_size=1, max_size=4), width=st.integers(4, 60))
def test_wide_characters_fill_their_lines(words: list[str], width: int) -> None:
    sentence = " ".join(words)
    lines = wrapped(Text(sentence), width, 0)

    assert all(line.cell_len <= width for line in lines)
    assert "".join(line.plain for line in lines).replace(" ", "") == sentence.replace(" ", "")


def test_wide_characters_are_not_broken_before_closing_mark() -> None:
    text = Text("无法连接到服务器、请重试。")

    assert [line.plain for line in wrapped(text, 16, 0)] == ["无法连接到服务", "器、请重试。"]
    assert cut(text, 12).plain == "无法连接到…"


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
