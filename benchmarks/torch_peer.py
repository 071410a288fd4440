"""PyTorch on the network and batches of `training.py`: prints events per second.

Run by `training.py --torch PYTHON` with the Python of an environment that has PyTorch; the events
are tensors from the start, as in the compiled epoch.

    python benchmarks/torch_peer.py EVENTS EPOCHS DROPOUT
"""

from __future__ import annotations

import sys
import time

import torch


def main(events: int, epochs: int, dropout: float) -> None:
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 2, (events,), generator=generator).float()
    features = torch.randn(events, 25, generator=generator)
    features[:, 0] += labels
    weights = torch.where(torch.rand(events, generator=generator) < 0.1, -1.0, 1.0)
    layers: list[torch.nn.Module] = []
    width = 25
    for _ in range(3):
        layers += [torch.nn.Linear(width, 64), torch.nn.ReLU()]
        if dropout:
            layers.append(torch.nn.Dropout(dropout))
        width = 64
    network = torch.nn.Sequential(*layers, torch.nn.Linear(width, 1))
    optimiser = torch.optim.Adam(network.parameters(), 1e-3, weight_decay=1e-5)
    loss = torch.nn.BCEWithLogitsLoss(reduction="none")

    def epoch() -> None:
        for chosen in torch.randperm(events, generator=generator).split(1024):
            optimiser.zero_grad(set_to_none=True)
            value = loss(network(features[chosen])[:, 0], labels[chosen])
            (value * weights[chosen]).mean().backward()
            optimiser.step()

    rates = []
    for threads in (1, torch.get_num_threads()):
        torch.set_num_threads(threads)
        epoch()
        for _ in range(epochs):
            start = time.perf_counter()
            epoch()
            rates.append(events / (time.perf_counter() - start))
    print(max(rates))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
