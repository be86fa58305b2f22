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
from llvmlite import binding, ir
from numba import config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from drsl.features.threads import run_together

__all__ = ["fused_relation"]


def _vector_shape() -> tuple[int, int, int]:
    """Bytes of a vector register, and the rows of the forward tile: images and texts. Two registers a row stay free."""
    features = config.CPU_FEATURES
    if features is None:
        features = binding.get_host_cpu_features().flatten()
    if "+avx512f" in features:
        return 64, 5, 4  # 32 registers
    if "+avx2" in features:
        return 32, 3, 3  # 16 registers
    return (16, 5, 4) if "+neon" in features else (16, 3, 3)


_BYTES, _IMAGES, _TEXTS = _vector_shape()
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
    missing = -rows.shape[-1] % (_BYTES // rows.element_size())
    return torch.nn.functional.pad(rows, (0, missing)).contiguous() if missing else rows.contiguous()


def _share(kernel: Any, elements: int, arrays: list[np.ndarray]) -> None:
    counter = np.zeros(1, np.int64)
    run_together(lambda: kernel(counter, *arrays), torch.get_num_threads() if elements > _SMALL else 1)


@njit(nogil=True, cache=True)
def _forward(counter, a, b_negative, u, shift, scores):
    """Scores of blocks of pairs, block after block until the counter has passed the last."""
    images, texts, width = len(a), len(b_negative), len(u)
    across = -(-texts // _COLUMN_BLOCK)
    blocks = -(-images // _ROW_BLOCK) * across
    while True:
        block = _next(counter)
        if block >= blocks:
            return
        first_row, first_column = block // across * _ROW_BLOCK, block % across * _COLUMN_BLOCK
        last_row = min(images, first_row + _ROW_BLOCK)
        for column in range(first_column, min(texts, first_column + _COLUMN_BLOCK), _TEXTS):
            for row in range(first_row, last_row, _IMAGES):
                _score_tile(a, b_negative, u, shift, scores, row, column, last_row - 1, texts - 1, width)


@njit(nogil=True, cache=True)
def _backward(counter, a, b_negative, u, gradient, image_gradient, text_gradient, u_gradient):
    """Gradients of slices of hidden units, slice after slice until the counter has passed the last."""
    images, texts, width = len(a), len(b_negative), len(u)
    lanes = _BYTES // a.itemsize
    padded = -(-images // _SLICE_ROWS) * _SLICE_ROWS
    image, image_sum = np.empty((_SLICES, padded, lanes), a.dtype), np.empty((_SLICES, padded, lanes), a.dtype)
    text, text_sum = np.empty((_SLICES, texts, lanes), a.dtype), np.empty((_SLICES, texts, lanes), a.dtype)
    image[:, images:] = -np.inf  # rows that are never active
    while True:
        start = _next(counter) * _SLICES * lanes
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
def _next(typing: Any, counter: Any) -> Any:
    """The counter's number, which it then raises by one, for all threads."""

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        place = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.atomic_rmw("add", place, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(counter), build


@intrinsic
def _score_tile(typing, a, b_negative, u, shift, scores, row, column, last_row, last_column, width) -> Any:
    """Scores of a tile of pairs; rows and columns past the last repeat the last."""
    signature = types.void(a, b_negative, u, shift, scores, *(types.intp,) * 5)

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        pointers = _pointers(context, builder, signature, arguments[:5])
        a_data, b_data, u_data, shift, scores = pointers
        row, column, last_row, last_column, width = arguments[5:]
        lanes = _BYTES * 8 // a.dtype.bitwidth
        vector = ir.VectorType(u_data.type.pointee, lanes)
        rows = [_at_most(builder, row, p, last_row) for p in range(_IMAGES)]
        columns = [_at_most(builder, column, q, last_column) for q in range(_TEXTS)]
        a_rows = [builder.gep(a_data, [builder.mul(each, width)]) for each in rows]
        b_rows = [builder.gep(b_data, [builder.mul(each, width)]) for each in columns]
        zeros = [ir.Constant(vector, None)] * (_IMAGES * _TEXTS)

        def step(hidden: ir.Value, sums: list[ir.Value]) -> list[ir.Value]:
            weight = _load(builder, u_data, hidden, vector)
            texts = [_load(builder, each, hidden, vector) for each in b_rows]
            added = []
            for p, image_row in enumerate(a_rows):
                image = _load(builder, image_row, hidden, vector)
                for q, text in enumerate(texts):
                    # Where either is not a number this gives the image's, and the text's comes back in with u . b.
                    larger = builder.select(builder.fcmp_ordered(">", text, image), text, image)
                    added.append(_multiply_add(builder, weight, larger, sums[p * _TEXTS + q]))
            return added

        sums = _loop(builder, width, lanes, zeros, step)
        for p, score_row in enumerate(rows):
            start = builder.mul(score_row, builder.add(last_column, last_column.type(1)))
            for q, score_column in enumerate(columns):
                score = builder.fadd(
                    _across(builder, sums[p * _TEXTS + q]), builder.load(builder.gep(shift, [columns[q]]))
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
        lanes = _BYTES * 8 // image.dtype.bitwidth
        number = image_data.type.pointee
        vector = ir.VectorType(number, lanes)
        size = row.type(lanes)
        places = [builder.mul(builder.add(row, row.type(p)), size) for p in range(_SLICE_ROWS)]
        images = [_load(builder, image_data, place, vector) for place in places]
        rows = [_at_most(builder, row, p, last_row) for p in range(_SLICE_ROWS)]
        gradients = [builder.gep(gradient, [builder.mul(each, texts)]) for each in rows]

        def step(column: ir.Value, sums: list[ir.Value]) -> list[ir.Value]:
            place = builder.mul(column, size)
            text = _load(builder, text_data, place, vector)
            total = _load(builder, text_sum, place, vector)
            added = []
            for each, gradient_row, so_far in zip(images, gradients, sums, strict=True):
                share = _spread(builder, builder.load(builder.gep(gradient_row, [column])), vector)
                active = builder.fcmp_ordered(">", each, text)
                added.append(builder.select(active, builder.fadd(so_far, share), so_far))
                total = builder.select(active, builder.fadd(total, share), total)
            _store(builder, text_sum, place, total)
            return added

        zeros = [ir.Constant(vector, None)] * _SLICE_ROWS
        for place, total in zip(places, _loop(builder, texts, 1, zeros, step), strict=True):
            _store(builder, image_sum, place, total)
        return context.get_dummy_value()

    return signature, build


@intrinsic
def _finish_slice(typing, rows, sums, u, gradient, u_gradient, column, count, width, sign) -> Any:
    """Writes u * sums as the gradient of the rows, and adds sign * rows * sums to the gradient of u."""
    signature = types.void(rows, sums, u, gradient, u_gradient, *(types.intp,) * 3, rows.dtype)

    def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        row_data, sum_data, u_data, gradient, u_gradient = _pointers(context, builder, signature, arguments[:5])
        column, count, width, sign = arguments[5:]
        lanes = _BYTES * 8 // rows.dtype.bitwidth
        vector = ir.VectorType(row_data.type.pointee, lanes)
        weight = _load(builder, u_data, column, vector)

        def step(row: ir.Value, total: list[ir.Value]) -> list[ir.Value]:
            place = builder.mul(row, row.type(lanes))
            each = _load(builder, sum_data, place, vector)
            _store(builder, gradient, builder.add(builder.mul(row, width), column), builder.fmul(weight, each))
            return [_multiply_add(builder, _load(builder, row_data, place, vector), each, total[0])]

        (total,) = _loop(builder, count, 1, [ir.Constant(vector, None)], step)
        before = _load(builder, u_gradient, column, vector)
        _store(builder, u_gradient, column, _multiply_add(builder, _spread(builder, sign, vector), total, before))
        return context.get_dummy_value()

    return signature, build


def _pointers(context: Any, builder: ir.IRBuilder, signature: Any, arrays: Any) -> list[ir.Value]:
    kinds = signature.args[: len(arrays)]
    return [context.make_array(kind)(context, builder, array).data for kind, array in zip(kinds, arrays, strict=True)]


def _loop(builder: ir.IRBuilder, end: ir.Value, by: int, sums: list[ir.Value], step: Any) -> list[ir.Value]:
    """`for at in range(0, end, by): sums = step(at, sums)`, at least once; the sums stay in registers."""
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


def _at_most(builder: ir.IRBuilder, start: ir.Value, offset: int, last: ir.Value) -> ir.Value:
    place = builder.add(start, start.type(offset))
    return builder.select(builder.icmp_signed("<", place, last), place, last)


def _load(builder: ir.IRBuilder, data: ir.Value, place: ir.Value, vector: ir.VectorType) -> ir.Value:
    return builder.load(builder.bitcast(builder.gep(data, [place]), vector.as_pointer()), align=4)


def _store(builder: ir.IRBuilder, data: ir.Value, place: ir.Value, value: ir.Value) -> None:
    builder.store(value, builder.bitcast(builder.gep(data, [place]), value.type.as_pointer()), align=4)


def _spread(builder: ir.IRBuilder, number: ir.Value, vector: ir.VectorType) -> ir.Value:
    index = ir.IntType(32)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), number, index(0))
    lanes = ir.Constant(ir.VectorType(index, vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), lanes)


def _multiply_add(builder: ir.IRBuilder, x: ir.Value, y: ir.Value, z: ir.Value) -> ir.Value:
    bits = 64 if isinstance(x.type.element, ir.DoubleType) else 32
    kind = ir.FunctionType(x.type, [x.type] * 3)
    name = f"llvm.fmuladd.v{x.type.count}f{bits}"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [x, y, z])


def _across(builder: ir.IRBuilder, vector: ir.Value) -> ir.Value:
    """The sum over the lanes, by halves."""
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
