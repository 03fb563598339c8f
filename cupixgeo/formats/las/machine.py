"""What a compiled coder needs of the machine and Python has no words for.

Memory by address, so that no array object is made or counted per symbol; network byte order;
32-bit division and wrap-around; choices without a branch, and branches hardly ever taken. Numbers
are int64. Must not know what they mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from cupixgeo.compiling import inlined

BIT, WORD, WIDE = ir.IntType(1), ir.IntType(32), ir.IntType(64)
FOUR_WORDS = ir.VectorType(WORD, 4)
LEAST = -(1 << 31)
NUMBER, TRUTH, NOTHING = types.int64, types.boolean, types.void


def emitted(result: Any, *arguments: Any) -> Callable[[Callable[..., Any]], Any]:
    """Make a function of compiled code of what builds it: from builder and values to a value."""

    def make(build: Callable[..., Any]) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = build(builder, *args)
            return context.get_dummy_value() if value is None else value

        made = result(*arguments), generate
        typed = {
            1: lambda context, a: made,
            2: lambda context, a, b: made,
            3: lambda context, a, b, c: made,
        }[len(arguments)]
        typed.__name__, typed.__doc__ = build.__name__, build.__doc__
        return intrinsic(typed)

    return make


def _memory(bits: int, *, swapped: bool = False) -> tuple[Any, Any]:
    """Make a load and a store of one width, in machine or network byte order.

    Both take an address and an offset [byte]; what is loaded is never negative below 64 bits.
    """
    word = ir.IntType(bits)

    @emitted(NUMBER, NUMBER, NUMBER)
    def load(builder: Any, address: Any, offset: Any) -> Any:
        place = builder.inttoptr(builder.add(address, offset), word.as_pointer())
        value = builder.load(place, align=1)
        value = builder.bswap(value) if swapped else value
        return value if bits == 64 else builder.zext(value, WIDE)

    @emitted(NOTHING, NUMBER, NUMBER, NUMBER)
    def store(builder: Any, address: Any, offset: Any, value: Any) -> None:
        place = builder.inttoptr(builder.add(address, offset), word.as_pointer())
        value = value if bits == 64 else builder.trunc(value, word)
        builder.store(builder.bswap(value) if swapped else value, place, align=1)

    return load, store


load8, store8 = _memory(8)
load16, store16 = _memory(16)
load32, store32 = _memory(32)
load64, store64 = _memory(64)
load32_swapped, _ = _memory(32, swapped=True)
_, store64_swapped = _memory(64, swapped=True)


@emitted(NUMBER, NUMBER)
def wrap32(builder: Any, value: Any) -> Any:
    """Take a sum as 32-bit arithmetic would: from -2^31 to 2^31 - 1."""
    return builder.sext(builder.trunc(value, WORD), WIDE)


@inlined
def load_signed(address, offset):
    """Load a 32-bit number with its sign."""
    return wrap32(load32(address, offset))


@emitted(NUMBER, NUMBER, NUMBER)
def divide(builder: Any, a: Any, b: Any) -> Any:
    """Divide numbers below 2^32; the whole quotient."""
    return builder.zext(builder.udiv(builder.trunc(a, WORD), builder.trunc(b, WORD)), WIDE)


@emitted(NUMBER, NUMBER)
def leading_zeros(builder: Any, value: Any) -> Any:
    """Count the zero bits above the highest set one of 32."""
    return builder.zext(builder.ctlz(builder.trunc(value, WORD), BIT(0)), WIDE)


@emitted(TRUTH, NUMBER, NUMBER)
def overflows(builder: Any, total: Any, part: Any) -> Any:
    """Say whether an unsigned sum, one of whose parts is `part`, lost its highest bit."""
    return builder.icmp_unsigned("<", total, part)


@emitted(NUMBER, TRUTH, NUMBER, NUMBER)
def choose(builder: Any, condition: Any, yes: Any, no: Any) -> Any:
    """Choose one of two numbers, without a branch."""
    return builder.select(condition, yes, no)


@emitted(TRUTH, TRUTH)
def unlikely(builder: Any, condition: Any) -> Any:
    """Hand on a condition that hardly ever holds."""
    kind = ir.FunctionType(BIT, [BIT, BIT])
    expect = builder.module.declare_intrinsic("llvm.expect", [BIT], kind)
    return builder.call(expect, [condition, BIT(0)])


@emitted(TRUTH, NUMBER, NUMBER)
def _used_up(builder: Any, address: Any, offset: Any) -> Any:
    """Count a 32-bit number in memory down; say whether it reached zero."""
    place = builder.inttoptr(builder.add(address, offset), WORD.as_pointer())
    left = builder.sub(builder.load(place), WORD(1))
    builder.store(left, place)
    return builder.icmp_unsigned("==", left, WORD(0))


@inlined
def used_up(address, offset):
    """Count a 32-bit number in memory down; say whether it reached zero, as it hardly ever does."""
    return unlikely(_used_up(address, offset))


@emitted(NOTHING, NUMBER, NUMBER)
def slide_median(builder: Any, address: Any, value: Any) -> None:
    """Let a value into five sorted 32-bit numbers, and push one out.

    The sixth word behind them is 0 or 1: it says which of the outer numbers goes, the last or the
    first, and becomes 1 where the value is not below the middle one (nor equal, where it was 1).
    """
    numbers = builder.inttoptr(address, WORD.as_pointer())
    middle, last, side = (builder.gep(numbers, [WORD(index)]) for index in (2, 4, 5))
    value = builder.trunc(value, WORD)
    first_goes = builder.load(side)
    wide_value, wide_middle = builder.sext(value, WIDE), builder.sext(builder.load(middle), WIDE)
    bound = builder.add(wide_middle, builder.zext(first_goes, WIDE))  # 32 bits could overflow
    above = builder.icmp_signed(">=", wide_value, bound)
    builder.store(builder.zext(above, WORD), side)
    kept = builder.gep(numbers, [first_goes])
    four = builder.load(builder.bitcast(kept, FOUR_WORDS.as_pointer()), align=4)
    fourth = builder.load(builder.gep(kept, [WORD(3)]))
    nothing = ir.Constant(FOUR_WORDS, ir.Undefined)
    values = builder.shuffle_vector(
        builder.insert_element(nothing, value, WORD(0)), nothing, FOUR_WORDS([0, 0, 0, 0])
    )
    lower = builder.select(builder.icmp_signed("<", four, values), four, values)
    before = builder.shuffle_vector(four, FOUR_WORDS([LEAST] * 4), FOUR_WORDS([4, 0, 1, 2]))
    sorted_four = builder.select(builder.icmp_signed(">", before, lower), before, lower)
    builder.store(sorted_four, builder.bitcast(numbers, FOUR_WORDS.as_pointer()), align=4)
    builder.store(builder.select(builder.icmp_signed(">", fourth, value), fourth, value), last)
