"""Pieces of machine code that the compiled kernels are written with, in LLVM's language, and the vector registers here.

numba keeps compiled kernels by the stamp of the kernel's own file. After a change here that must reach them, save the
kernels' files anew.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["LANE_BYTES", "REGISTERS", "across", "load", "loop", "multiply_add", "next_number", "spread", "store"]


def _registers() -> tuple[int, int]:
    features = config.CPU_FEATURES
    if features is None:
        features = binding.get_host_cpu_features().flatten()
    if "+avx512f" in features:
        return 64, 32
    if "+avx2" in features:
        return 32, 16
    return 16, 32 if "+neon" in features else 16


LANE_BYTES, REGISTERS = _registers()
"""Bytes of a vector register of this machine, and how many there are."""


@intrinsic
def next_number(typing: Any, counter: Any) -> Any:
    """The counter's number, which it then raises by one, for all threads.

    Args:
        typing: numba's.
        counter: (1,) int64.

    Returns:
        The number before.
    """

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        place = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.atomic_rmw("add", place, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(counter), build


def loop(builder: ir.IRBuilder, end: ir.Value, by: int, sums: list[ir.Value], step: Any) -> list[ir.Value]:
    """`for at in range(0, end, by): sums = step(at, sums)`, at least once; the sums stay in registers.

    Args:
        builder: writes the code.
        end: end of the range.
        by: its step.
        sums: values before the first turn.
        step: makes a turn's code: takes the place and the sums, gives the new sums.

    Returns:
        The sums after the last turn.
    """
    before = builder.block
    body, after = builder.append_basic_block("body"), builder.append_basic_block("after")
    builder.branch(body)
    builder.position_at_end(body)
    at = builder.phi(end.type)
    at.add_incoming(end.type(0), before)
    carried = [builder.phi(each.type) for each in sums]
    for phi, each in zip(carried, sums, strict=True):
        phi.add_incoming(each, before)
    results = step(at, carried)
    following = builder.add(at, end.type(by))
    for phi, each in zip([at, *carried], [following, *results], strict=True):
        phi.add_incoming(each, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, end), body, after)
    builder.position_at_end(after)
    return results


def load(builder: ir.IRBuilder, data: ir.Value, place: ir.Value, vector: ir.VectorType) -> ir.Value:
    """A register full of numbers.

    Args:
        builder: writes the code.
        data: pointer to numbers.
        place: which of them is the first.
        vector: the register's type.

    Returns:
        The register.
    """
    return builder.load(builder.bitcast(builder.gep(data, [place]), vector.as_pointer()), align=4)


def store(builder: ir.IRBuilder, data: ir.Value, place: ir.Value, value: ir.Value) -> None:
    """Writes a register full of numbers.

    Args:
        builder: writes the code.
        data: pointer to numbers.
        place: where the first goes.
        value: the register.
    """
    builder.store(value, builder.bitcast(builder.gep(data, [place]), value.type.as_pointer()), align=4)


def spread(builder: ir.IRBuilder, number: ir.Value, vector: ir.VectorType) -> ir.Value:
    """One number in all lanes.

    Args:
        builder: writes the code.
        number: the number.
        vector: the register's type.

    Returns:
        The register.
    """
    index = ir.IntType(32)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), number, index(0))
    lanes = ir.Constant(ir.VectorType(index, vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), lanes)


def multiply_add(builder: ir.IRBuilder, x: ir.Value, y: ir.Value, z: ir.Value) -> ir.Value:
    """X * y + z.

    Args:
        builder: writes the code.
        x: a register.
        y: a register.
        z: a register.

    Returns:
        The register, rounded once.
    """
    bits = 64 if isinstance(x.type.element, ir.DoubleType) else 32
    kind = ir.FunctionType(x.type, [x.type] * 3)
    name = f"llvm.fmuladd.v{x.type.count}f{bits}"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [x, y, z])


def across(builder: ir.IRBuilder, vector: ir.Value) -> ir.Value:
    """The sum over the lanes, by halves.

    Args:
        builder: writes the code.
        vector: a register.

    Returns:
        One number.
    """
    index = ir.IntType(32)
    size = vector.type.count
    while size > 1:
        size //= 2
        halves = [
            builder.shuffle_vector(
                vector, vector, ir.Constant(ir.VectorType(index, size), list(range(start, start + size)))
            )
            for start in (0, size)
        ]
        vector = builder.fadd(*halves)
    return builder.extract_element(vector, index(0))
