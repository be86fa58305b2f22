"""The relation function on the CPU: numba and LLVM, near the limit of the vector units, without a C++ compiler.

Because relu(a + b) = max(a, -b) + b, the sum over hidden units is that of u * max(a, -b) plus u . b, which is the
text's own: two vector operations an element instead of three. A tile of image and text rows keeps its sums in registers
while the hidden units run over the lanes. The gradient's two masked sums are one pass over slices of hidden units, one
vector register wide: a slice's sums belong to one thread, so nothing is added up between threads, and the result does
not depend on their number.

numba would not keep such tiles in registers, so the two inner loops are written in LLVM's own language, with llvmlite.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from drsl.features.threads import run_together
from drsl.train.kernels.vector_code import (
    LANE_BYTES,
    REGISTERS,
    across,
    load,
    loop,
    multiply_add,
    next_number,
    spread,
    store,
)

__all__ = ["fused_relation"]


_IMAGES, _TEXTS = (5, 4) if REGISTERS == 32 else (3, 3)
"""Rows of the forward tile; two registers a row stay free."""
_SLICE_ROWS = 8
"""Image rows whose masked sums stay in registers in the gradient."""
_SLICES = 4
"""Slices a thread takes at a time, so that it reads and writes 256 bytes of a row together."""
_ROW_BLOCK, _COLUMN_BLOCK = 40, 64
"""Rows a thread takes at a time: with h = 1024 both fit in a core's second cache."""
_SMALL = 1 << 19
"""Elements of (n_i, n_t, h) below which a second thread costs more than it gives."""


def fused_relation(a: torch.Tensor, b: torch.Tensor, u: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
    """R[p, q] = d + sum_h u[h] relu(a[p, h] + b[q, h]).

    Args:
        a: (n_i, h) on the CPU, float32 or float64 as are the others.
        b: (n_t, h).
        u: (h,).
        d: (1,).

    Returns:
        R (n_i, n_t); its gradient can be taken once, not twice. Memory O(n_i n_t + (n_i + n_t) h).
    """
    scores: torch.Tensor = _Fused.apply(a, b, u, d)
    return scores


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, b: torch.Tensor, u: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
        ctx.width = len(u)
        a, b, u = (_full_lanes(each.detach()) for each in (a, b, u))
        b_negative = b.neg()
        ctx.save_for_backward(a, b_negative, u)
        scores = a.new_empty((len(a), len(b)))
        if scores.numel():
            shift = torch.addmv(d.detach().expand(len(b)), b, u)
            arrays = [each.numpy() for each in (a, b_negative, u, shift, scores)]
            _share(_forward, scores.numel() * a.shape[1], arrays)
        return scores

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, ...]:
        a, b_negative, u = ctx.saved_tensors
        gradient = gradient.contiguous()
        make = torch.empty_like if gradient.numel() else torch.zeros_like
        found = [make(each) for each in (a, b_negative, u)]
        if gradient.numel():
            arrays = [each.numpy() for each in (a, b_negative, u, gradient, *found)]
            _share(_backward, gradient.numel() * a.shape[1], arrays)
        return *(each[..., : ctx.width] for each in found), gradient.sum().view(1)


def _full_lanes(rows: torch.Tensor) -> torch.Tensor:
    """Rows of whole vector registers; the columns added are zeros, also in u, and change nothing."""
    missing = -rows.shape[-1] % (LANE_BYTES // rows.element_size())
    return torch.nn.functional.pad(rows, (0, missing)).contiguous() if missing else rows.contiguous()


def _share(kernel: Any, elements: int, arrays: list[np.ndarray]) -> None:
    counter = np.zeros(1, np.int64)
    run_together(lambda: kernel(counter, *arrays), torch.get_num_threads() if elements > _SMALL else 1)


@njit(nogil=True, cache=True)
def _forward(counter, a, b_negative, u, shift, scores):
    """Scores of blocks of pairs, block after block until the counter has passed the last."""
    images, texts, width = len(a), len(b_negative), len(u)
    columns = -(-texts // _COLUMN_BLOCK)
    blocks = -(-images // _ROW_BLOCK) * columns
    while True:
        block = next_number(counter)
        if block >= blocks:
            return
        first_row, first_column = block // columns * _ROW_BLOCK, block % columns * _COLUMN_BLOCK
        last_row = min(images, first_row + _ROW_BLOCK)
        for column in range(first_column, min(texts, first_column + _COLUMN_BLOCK), _TEXTS):
            for row in range(first_row, last_row, _IMAGES):
                _score_tile(a, b_negative, u, shift, scores, row, column, last_row - 1, texts - 1, width)


@njit(nogil=True, cache=True)
def _backward(counter, a, b_negative, u, gradient, image_gradient, text_gradient, u_gradient):
    """Gradients of slices of hidden units, slice after slice until the counter has passed the last."""
    images, texts, width = len(a), len(b_negative), len(u)
    lanes = LANE_BYTES // a.itemsize
    padded = -(-images // _SLICE_ROWS) * _SLICE_ROWS
    image, image_sum = np.empty((_SLICES, padded, lanes), a.dtype), np.empty((_SLICES, padded, lanes), a.dtype)
    text, text_sum = np.empty((_SLICES, texts, lanes), a.dtype), np.empty((_SLICES, texts, lanes), a.dtype)
    image[:, images:] = -np.inf  # rows that are never active
    while True:
        start = next_number(counter) * _SLICES * lanes
        if start >= width:
            return
        slices = min(_SLICES, (width - start) // lanes)
        for row in range(images):
            for each in range(slices):
                for lane in range(lanes):
                    image[each, row, lane] = a[row, start + each * lanes + lane]
        for row in range(texts):
            for each in range(slices):
                for lane in range(lanes):
                    text[each, row, lane] = b_negative[row, start + each * lanes + lane]
                    text_sum[each, row, lane] = 0
        for each in range(slices):
            for row in range(0, padded, _SLICE_ROWS):
                _sum_slice(image[each], text[each], gradient, image_sum[each], text_sum[each], row, images - 1, texts)
            column = start + each * lanes
            u_gradient[column : column + lanes] = 0
            _finish_slice(image[each], image_sum[each], u, image_gradient, u_gradient, column, images, width, 1.0)
            _finish_slice(text[each], text_sum[each], u, text_gradient, u_gradient, column, texts, width, -1.0)


@intrinsic
def _score_tile(typing, a, b_negative, u, shift, scores, row, column, last_row, last_column, width) -> Any:
    """Scores of a tile of pairs; rows and columns past the last repeat the last."""
    signature = types.void(a, b_negative, u, shift, scores, *(types.intp,) * 5)

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        pointers = _pointers(context, builder, signature, arguments[:5])
        a_data, b_data, u_data, shift, scores = pointers
        row, column, last_row, last_column, width = arguments[5:]
        lanes = LANE_BYTES * 8 // a.dtype.bitwidth
        vector = ir.VectorType(u_data.type.pointee, lanes)
        rows = [_at_most(builder, row, p, last_row) for p in range(_IMAGES)]
        columns = [_at_most(builder, column, q, last_column) for q in range(_TEXTS)]
        a_rows = [builder.gep(a_data, [builder.mul(each, width)]) for each in rows]
        b_rows = [builder.gep(b_data, [builder.mul(each, width)]) for each in columns]
        zeros = [ir.Constant(vector, None)] * (_IMAGES * _TEXTS)

        def step(hidden: ir.Value, sums: list[ir.Value]) -> list[ir.Value]:
            weight = load(builder, u_data, hidden, vector)
            texts = [load(builder, each, hidden, vector) for each in b_rows]
            added = []
            for p, image_row in enumerate(a_rows):
                image = load(builder, image_row, hidden, vector)
                for q, text in enumerate(texts):
                    # Where either is not a number this gives the image's, and the text's comes back in with u . b.
                    larger = builder.select(builder.fcmp_ordered(">", text, image), text, image)
                    added.append(multiply_add(builder, weight, larger, sums[p * _TEXTS + q]))
            return added

        sums = loop(builder, width, lanes, zeros, step)
        for p, score_row in enumerate(rows):
            start = builder.mul(score_row, builder.add(last_column, last_column.type(1)))
            for q, score_column in enumerate(columns):
                score = builder.fadd(
                    across(builder, sums[p * _TEXTS + q]), builder.load(builder.gep(shift, [columns[q]]))
                )
                builder.store(score, builder.gep(scores, [builder.add(start, score_column)]))
        return context.get_dummy_value()

    return signature, build


@intrinsic
def _sum_slice(typing, image, text, gradient, image_sum, text_sum, row, last_row, texts) -> Any:
    """Adds the gradient where a > -b, over all texts for some images, and over these images for all texts."""
    signature = types.void(image, text, gradient, image_sum, text_sum, *(types.intp,) * 3)

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        image_data, text_data, gradient, image_sum, text_sum = _pointers(context, builder, signature, arguments[:5])
        row, last_row, texts = arguments[5:]
        lanes = LANE_BYTES * 8 // image.dtype.bitwidth
        number = image_data.type.pointee
        vector = ir.VectorType(number, lanes)
        size = row.type(lanes)
        places = [builder.mul(builder.add(row, row.type(p)), size) for p in range(_SLICE_ROWS)]
        images = [load(builder, image_data, place, vector) for place in places]
        rows = [_at_most(builder, row, p, last_row) for p in range(_SLICE_ROWS)]
        gradients = [builder.gep(gradient, [builder.mul(each, texts)]) for each in rows]

        def step(column: ir.Value, sums: list[ir.Value]) -> list[ir.Value]:
            place = builder.mul(column, size)
            text = load(builder, text_data, place, vector)
            total = load(builder, text_sum, place, vector)
            added = []
            for each, gradient_row, so_far in zip(images, gradients, sums, strict=True):
                share = spread(builder, builder.load(builder.gep(gradient_row, [column])), vector)
                active = builder.fcmp_ordered(">", each, text)
                added.append(builder.select(active, builder.fadd(so_far, share), so_far))
                total = builder.select(active, builder.fadd(total, share), total)
            store(builder, text_sum, place, total)
            return added

        zeros = [ir.Constant(vector, None)] * _SLICE_ROWS
        for place, total in zip(places, loop(builder, texts, 1, zeros, step), strict=True):
            store(builder, image_sum, place, total)
        return context.get_dummy_value()

    return signature, build


@intrinsic
def _finish_slice(typing, rows, sums, u, gradient, u_gradient, column, count, width, sign) -> Any:
    """Writes u * sums as the gradient of the rows, and adds sign * rows * sums to the gradient of u."""
    signature = types.void(rows, sums, u, gradient, u_gradient, *(types.intp,) * 3, rows.dtype)

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        row_data, sum_data, u_data, gradient, u_gradient = _pointers(context, builder, signature, arguments[:5])
        column, count, width, sign = arguments[5:]
        lanes = LANE_BYTES * 8 // rows.dtype.bitwidth
        vector = ir.VectorType(row_data.type.pointee, lanes)
        weight = load(builder, u_data, column, vector)

        def step(row: ir.Value, total: list[ir.Value]) -> list[ir.Value]:
            place = builder.mul(row, row.type(lanes))
            each = load(builder, sum_data, place, vector)
            store(builder, gradient, builder.add(builder.mul(row, width), column), builder.fmul(weight, each))
            return [multiply_add(builder, load(builder, row_data, place, vector), each, total[0])]

        (total,) = loop(builder, count, 1, [ir.Constant(vector, None)], step)
        before = load(builder, u_gradient, column, vector)
        store(builder, u_gradient, column, multiply_add(builder, spread(builder, sign, vector), total, before))
        return context.get_dummy_value()

    return signature, build


def _pointers(context: Any, builder: ir.IRBuilder, signature: Any, arrays: Any) -> list[ir.Value]:
    kinds = signature.args[: len(arrays)]
    return [context.make_array(kind)(context, builder, array).data for kind, array in zip(kinds, arrays, strict=True)]


def _at_most(builder: ir.IRBuilder, start: ir.Value, offset: int, last: ir.Value) -> ir.Value:
    place = builder.add(start, start.type(offset))
    return builder.select(builder.icmp_signed("<", place, last), place, last)
