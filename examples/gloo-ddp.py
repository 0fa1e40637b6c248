"""A toy job of four ranks: two pipeline stages of two data-parallel ranks each."""

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel


def main() -> None:
    """Train for two steps, then call each collective once."""
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    pairs = [dist.new_group([0, 1]), dist.new_group([2, 3])]
    mine = pairs[rank // 2]
    torch.manual_seed(0)
    model = DistributedDataParallel(torch.nn.Linear(256, 256), process_group=mine)
    x = torch.ones(8, 256)
    for step in range(2):
        if rank >= 2:
            dist.recv(x, rank - 2, tag=step)
        y = model(x)
        if rank < 2:
            dist.send(y.detach(), rank + 2, tag=step)
        y.sum().backward()
        dist.all_reduce(y.detach().sum(), group=mine)
    whole = torch.empty(4 * 1000)
    dist.all_gather_into_tensor(whole, torch.full((1000,), float(rank)))
    part = torch.empty(1000)
    dist.reduce_scatter_tensor(part, whole)
    dist.all_to_all_single(torch.empty(4096, dtype=torch.bfloat16), torch.ones(4096, dtype=torch.bfloat16))
    dist.broadcast(part, 0)
    dist.reduce(part, 3)
    dist.barrier()
    dist.destroy_process_group()


main()
