from instrument.errors import LONGEST, HocketError


def test_a_message_is_one_line_whatever_the_value():
    assert str(HocketError("no patch 'a\nb\0\x1b[2J\u2028\udcff': choose „é ⁂ 音“")) == (
        "no patch 'a\\nb\\x00\\x1b[2J\\u2028\\udcff': choose „é ⁂ 音“"
    )


def test_a_message_keeps_its_beginning_and_its_end():
    text = str(HocketError(f"plan cannot be {'0' * 70_000!r}: choose one of free, typed"))
    assert len(text) == LONGEST
    assert text.startswith("plan cannot be '000")
    assert text.endswith("000': choose one of free, typed")
