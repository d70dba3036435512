"""Sequences of different lengths: an argument, where torch.nn needs packing.

Both ways give the same numbers. With ``lengths`` nothing is packed, sorted or unpacked, and a
sequence may be empty, which packing refuses.
"""

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

import gatewright as gw

torch.manual_seed(0)
theirs = torch.nn.LSTM(8, 16, num_layers=2, bidirectional=True, batch_first=True)
ours = gw.LSTM(8, 16, num_layers=2, bidirectional=True, batch_first=True)
ours.load_state_dict(theirs.state_dict())  # the same weights

sequences = [torch.randn(length, 8) for length in (5, 12, 1, 9)]
lengths = torch.tensor([len(sequence) for sequence in sequences])
x = pad_sequence(sequences, batch_first=True)  # (batch, time, 8), zeros at the end
print(f"a batch of {tuple(x.shape)} with the lengths {lengths.tolist()}")

# torch.nn: pack, run, unpack.
packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
packed_output, (their_h, their_c) = theirs(packed)
their_output, _ = pad_packed_sequence(packed_output, batch_first=True)

# Gatewright: the padded batch and its lengths.
our_output, (our_h, our_c) = ours(x, lengths=lengths)

for name, a, b in (
    ("output", our_output, their_output),
    ("h", our_h, their_h),
    ("c", our_c, their_c),
):
    print(f"{name:6} {tuple(a.shape)!s:12} largest difference {(a - b).abs().max().item():.1e}")
    torch.testing.assert_close(a, b)

# Whatever the padding holds, it changes nothing; and past its end a sequence gives zeros.
x[0, 5:] = 1e6
again, _ = ours(x, lengths=lengths)
print(f"other padding, the same output: {torch.equal(again, our_output)}")
print(f"all zero past the end: {bool((again[0, 5:] == 0).all())}")

# An empty sequence gives zeros, and its final state is the state that it started from.
output, (h, _) = ours(x, lengths=[5, 0, 1, 9])
print(f"an empty sequence: output {output[1].abs().sum():.0f}, state {h[:, 1].abs().sum():.0f}")

# torch's packed sequences work too, for code that has them already.
same, _ = ours(packed)
print(f"a PackedSequence goes in and comes out: {type(same).__name__}")
