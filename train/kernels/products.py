"""Matrix products of a relation step on the CPU, several at a time, cut into small pieces that idle threads take.

The library's product cuts each matrix into equal parts, one a thread, and waits for the slowest: beside another busy
process that wait is most of a step. Here a panel of the right matrix is copied together once, and tiles of the result
keep their sums in registers while the inner index runs. A piece belongs to one thread, so the result does not depend on
their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from drsl.features.threads import run_together
from drsl.train.kernels.vector_code import LANE_BYTES, REGISTERS, load, loop, multiply_add, next_number, spread

__all__ = ["Product", "multiply"]

_ROWS, _VECTORS = (6, 4) if REGISTERS == 32 else (4, 3)
"""Tile of the result: rows, and vector registers a row; with what comes in they just fit."""
_PIECE = 1 << 22
"""Multiply-adds of a piece, about; 40 microseconds."""
_SMALL = 1 << 20
"""Multiply-adds below which a second thread costs more than it gives."""


@dataclass(frozen=True)
class Product:
    """out = start + sign * left @ right, for strided matrices on the CPU of one type, float32 or float64."""

    left: torch.Tensor
    """(m, k)"""
    right: torch.Tensor
    """(k, n)"""
    out: torch.Tensor
    """(m, n), its rows contiguous"""
    start: torch.Tensor | None = None
    """(n,) or (m, n), may be `out` itself; None for zeros"""
    sign: float = 1.0


def multiply(products: Sequence[Product]) -> None:
    """Works out products that do not need one another's results.

    Args:
        products: matrices with at least one row and column each; results are written into their `out`.
    """
    kind = products[0].out.dtype
    zeros = torch.zeros(max(each.out.shape[1] for each in products), dtype=kind)
    table = np.array([_row(each, zeros) for each in products], np.int64)
    signs = np.array([each.sign for each in products])
    counter = np.zeros(1, np.int64)
    exemplar = zeros[:0].numpy()
    work = sum(each.out.numel() * each.left.shape[1] for each in products)
    run_together(lambda: _multiply(counter, table, signs, exemplar), torch.get_num_threads() if work > _SMALL else 1)


def _row(each: Product, zeros: torch.Tensor) -> tuple[int, ...]:
    """Addresses, strides and sizes, for the compiled loop; the caller keeps the tensors alive."""
    start = (zeros[: each.out.shape[1]] if each.start is None else each.start).expand_as(each.out)
    return (
        *(each.left.data_ptr(), *each.left.stride()),
        *(each.right.data_ptr(), *each.right.stride()),
        *(each.out.data_ptr(), each.out.stride(0)),
        *(start.data_ptr(), start.stride(0)),
        *(*each.out.shape, each.left.shape[1]),
    )


@njit(nogil=True, cache=True)
def _multiply(counter, table, signs, exemplar):
    """Piece after piece, of one product after the other, until the counter has passed the last."""
    lanes = LANE_BYTES // exemplar.itemsize
    wide = lanes * _VECTORS
    inner = table[:, 12].max()
    panel = np.empty((inner, wide), exemplar.dtype)
    piece, first = next_number(counter), 0
    for each in range(len(table)):
        left, left_row, left_inner, right, right_inner, right_column = table[each, :6]
        out, out_row, start, start_row, rows, columns, inner = table[each, 6:]
        block = max(1, _PIECE // (max(1, inner) * wide * _ROWS)) * _ROWS
        down = -(-rows // block)
        pieces = down * -(-columns // wide)
        packed = -1
        while piece < first + pieces:
            across, row = (piece - first) // down * wide, (piece - first) % down * block
            if packed != across:
                packed = across
                _pack(panel, right, right_inner, right_column, across, min(columns - across, wide), inner)
            for tile in range(row, min(rows, row + block), _ROWS):
                _multiply_tile(
                    panel, left, left_row, left_inner, out, out_row, start, start_row,
                    tile, rows - 1, across, columns, inner, signs[each],
                )  # fmt: skip
            piece = next_number(counter)
        first += pieces


@njit(nogil=True)
def _pack(panel, right, right_inner, right_column, across, count, inner):
    """Copies columns of the right matrix together, zeros behind the last."""
    if right_column == 1:
        for k in range(inner):
            for column in range(count):
                panel[k, column] = _number(panel, right, k * right_inner + across + column)
    else:
        for first in range(0, inner, 64):  # long enough runs for the memory to read ahead
            for column in range(count):
                for k in range(first, min(inner, first + 64)):
                    panel[k, column] = _number(panel, right, k * right_inner + (across + column) * right_column)
    panel[:inner, count:] = 0


@intrinsic
def _number(typing: Any, exemplar: Any, address: Any, place: Any) -> Any:
    """The number at a place of the memory at an address."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        data = builder.inttoptr(arguments[1], context.get_data_type(exemplar.dtype).as_pointer())
        return builder.load(builder.gep(data, [arguments[2]]))

    return exemplar.dtype(exemplar, types.intp, types.intp), build


@intrinsic
def _multiply_tile(
    typing, panel, left, left_row, left_inner, out, out_row, start, start_row,
    row, last_row, column, columns, inner, sign,
) -> Any:  # fmt: skip
    """One tile of the result; rows past the last repeat the last, columns past the last are not written."""
    signature = types.void(panel, *(types.intp,) * 12, types.float64)

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        number = context.get_data_type(panel.dtype)
        lanes = LANE_BYTES * 8 // panel.dtype.bitwidth
        vector = ir.VectorType(number, lanes)
        data = context.make_array(panel)(context, builder, arguments[0]).data
        left, left_row, left_inner, out, out_row, start, start_row = arguments[1:8]
        row, last_row, column, columns, inner, sign = arguments[8:]
        left, out, start = (builder.inttoptr(each, number.as_pointer()) for each in (left, out, start))
        rows = []
        for p in range(_ROWS):
            place = builder.add(row, row.type(p))
            rows.append(builder.select(builder.icmp_signed("<", place, last_row), place, last_row))
        lefts = [builder.gep(left, [builder.mul(each, left_row)]) for each in rows]
        size = row.type(lanes * _VECTORS)

        def step(k: ir.Value, sums: list[ir.Value]) -> list[ir.Value]:
            place = builder.mul(k, size)
            rights = [load(builder, data, builder.add(place, place.type(v * lanes)), vector) for v in range(_VECTORS)]
            along = builder.mul(k, left_inner)
            added = []
            for p, each in enumerate(lefts):
                factor = spread(builder, builder.load(builder.gep(each, [along])), vector)
                added += [multiply_add(builder, factor, rights[v], sums[p * _VECTORS + v]) for v in range(_VECTORS)]
            return added

        zeros = [ir.Constant(vector, None)] * (_ROWS * _VECTORS)
        sums = loop(builder, inner, 1, zeros, step)
        sign = spread(builder, sign if sign.type == number else builder.fptrunc(sign, number), vector)
        for v in range(_VECTORS):
            first = builder.add(column, column.type(v * lanes))
            mask = _before(builder, first, columns, lanes)
            values = []  # all before the first is written: rows may repeat, and the start may be the result's own place
            for p, each in enumerate(rows):
                place = builder.add(builder.mul(each, start_row), first)
                before = _masked(builder, "load", vector, builder.gep(start, [place]), mask)
                values.append(multiply_add(builder, sign, sums[p * _VECTORS + v], before))
            for each, value in zip(rows, values, strict=True):
                place = builder.add(builder.mul(each, out_row), first)
                _masked(builder, "store", vector, builder.gep(out, [place]), mask, value)
        return context.get_dummy_value()

    return signature, build


def _before(builder: ir.IRBuilder, first: ir.Value, end: ir.Value, lanes: int) -> ir.Value:
    """Which of the lanes' places, counted from the first, lie before the end."""
    places = ir.VectorType(first.type, lanes)
    steps = ir.Constant(places, list(range(lanes)))
    return builder.icmp_signed("<", builder.add(spread(builder, first, places), steps), spread(builder, end, places))


def _masked(
    builder: ir.IRBuilder, what: str, vector: ir.VectorType, at: ir.Value, mask: ir.Value, value: ir.Value | None = None
) -> ir.Value:
    """Loads or stores the lanes of a mask; lanes that are not loaded are 0."""
    bits = 64 if isinstance(vector.element, ir.DoubleType) else 32
    at = builder.bitcast(at, vector.as_pointer())
    align = ir.IntType(32)(bits // 8)
    name = f"llvm.masked.{what}.v{vector.count}f{bits}.p0"
    if value is not None:
        kind = ir.FunctionType(ir.VoidType(), [vector, at.type, align.type, mask.type])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [value, at, align, mask])
    kind = ir.FunctionType(vector, [at.type, align.type, mask.type, vector])
    rest = ir.Constant(vector, None)
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [at, align, mask, rest])
