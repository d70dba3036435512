"""Learned vectors for categories."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Embeddings(nn.Module):
    """Learned vectors for categories; code 0 stands for missing and unseen ones."""

    def __init__(self, counts: Sequence[int]) -> None:
        """counts: how many values each category has, code 0 not counted."""
        super().__init__()
        sizes = [min(8, math.ceil(math.sqrt(count + 1))) for count in counts]
        self.tables = nn.ModuleList(
            nn.Embedding(count + 1, size) for count, size in zip(counts, sizes, strict=True)
        )
        self.size = sum(sizes)

    def forward(self, codes: Tensor) -> Tensor:
        """codes: (..., categories). Returns (..., size)."""
        parts = [table(codes[..., number]) for number, table in enumerate(self.tables)]
        return torch.cat(parts, -1) if parts else codes.new_empty((*codes.shape[:-1], 0)).float()
