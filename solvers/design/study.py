"""`Study`: looks closer at candidates, by closed forms first, then by building, solving and laying them out."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np

from solvers.bound import Bound
from solvers.design.candidate import Candidate
from solvers.design.mix import best_mix
from solvers.design.parts import Shelf, lengths_of
from solvers.design.spec import DesignSpec, JobNeed, Resilience
from solvers.network import network_of
from solvers.throughput import Effort
from topologies.fabric import Fabric
from uet.base.errors import NoAnswer

KEPT_FABRICS = 4
USUAL_WORK = 500_000_000
"""Arc visits for a bandwidth that is not found exactly: some five seconds."""
SKETCH = Effort(tolerance=0.02, work=10_000_000, exact=False)
"""Effort for fabrics that are only shown beside the design: some two seconds."""


@dataclass
class Study:
    """One specification's view of candidates; `solved` are those whose bandwidth was solved for, by spec."""

    spec: DesignSpec
    shelf: Shelf
    seed: int = 1
    effort: Effort = field(default_factory=lambda: Effort(work=USUAL_WORK))
    solved: set[str] = field(default_factory=set)
    _built: OrderedDict[str, Fabric] = field(default_factory=OrderedDict)

    def fabric(self, candidate: Candidate) -> Fabric:
        """Return the candidate's fabric; a few are kept."""
        from topologies.registry import build

        if candidate.spec not in self._built:
            self._built[candidate.spec] = build(candidate.spec)
            if len(self._built) > KEPT_FABRICS:
                self._built.popitem(last=False)
        return self._built[candidate.spec]

    def bandwidth(self, candidate: Candidate, pattern: str, enough: float = inf) -> bool:
        """Narrow a bandwidth by the next method; False if there is none. A lower bound of `enough` suffices."""
        if "forms" not in candidate.done:
            candidate.done.add("forms")
            self._by_forms(candidate)
            return True
        step = pattern if enough == inf else f"{pattern}, decided"
        if {pattern, step} & candidate.done:
            return False
        candidate.done.add(step)
        if pattern == "bisection":
            return self._bisection(candidate, enough)
        if pattern == "traffic":
            self.solved.add(candidate.spec)
            candidate.narrow(pattern, self._traffic(candidate, enough))
            return True
        self.solved.add(candidate.spec)
        solve = self._alltoall if pattern == "alltoall" else self._allreduce
        candidate.narrow(pattern, solve(self.fabric(candidate), enough))
        return True

    @staticmethod
    def _by_forms(candidate: Candidate) -> None:
        closer = candidate.family.proven(candidate.parameters)
        for name in ("alltoall", "allreduce", "bisection"):
            candidate.narrow(name, getattr(closer, name))

    def _alltoall(self, fabric: Fabric, enough: float) -> Bound:
        from solvers.bandwidth import carried
        from solvers.demand import alltoall

        network = network_of(fabric)
        access = network.access_fraction()
        effort = replace(self.effort, decide=enough) if enough < inf else SKETCH
        return carried(network, alltoall(network), access, effort, self.seed).capped(access)

    def _traffic(self, candidate: Candidate, enough: float) -> Bound:
        """Return the part of the traffic that is carried: also by the ports of the accelerators."""
        from solvers.demand import between_groups
        from solvers.throughput import throughput

        asked, n = self.spec.traffic, self.spec.accelerators
        assert asked is not None
        network = network_of(self.fabric(candidate))
        host = np.arange(network.n_hosts)
        group = np.where(host < n, host * asked.groups // n, -1)
        effort = replace(self.effort, decide=enough) if enough < inf else self.effort
        demand = between_groups(network, group, np.array(asked.gbps, np.float64))
        return throughput(network, demand, effort, seed=self.seed).capped(self.spec.most_traffic)

    def _allreduce(self, fabric: Fabric, _: float) -> Bound:
        from solvers.allreduce import allreduce, whole_machine

        network = network_of(fabric)
        return allreduce(fabric, network, [whole_machine(fabric, network.alive)], None, self.effort)

    def _bisection(self, candidate: Candidate, enough: float) -> bool:
        """An alltoall crosses every bisection: solve for it if that may help."""
        hosts = candidate.hosts
        if not self.bandwidth(candidate, "alltoall", min(1.0, enough * 2 * (hosts - 1) / hosts)):
            return False
        lower = candidate.bounds["alltoall"].lower * hosts / (2 * (hosts - 1))
        candidate.narrow("bisection", Bound(lower, 1.0, "alltoall across it"))
        return True

    def lay_out(self, candidate: Candidate) -> bool:
        """Find where everything stands: cost, power, racks and the longest cable; False if that is done."""
        if candidate.lengths is not None:
            return False
        from topologies.cabling import cable_list

        cabling = cable_list(self.fabric(candidate), self.shelf.prices, self.shelf.rule, self.spec.rack)
        facts = cabling.as_dict()
        racks = float(facts["host_racks"] + facts["network_racks"])
        candidate.extra["racks"] = (racks, racks)
        candidate.extra["reach_m"] = (facts["longest_m"], facts["longest_m"])
        candidate.lengths = lengths_of(cabling)
        if not self.spec.growth and not candidate.price(self.shelf):
            raise NoAnswer(f"{candidate.spec}: no cable of the catalogue is long enough")
        self.choose_parts(candidate)
        return True

    def cost_is_exact(self, candidate: Candidate) -> bool:
        """Whether the cost depends on nothing unknown."""
        return candidate.lengths is not None or self.shelf.rule == "published"

    def choose_parts(self, candidate: Candidate) -> None:
        """Choose the mix of parts that costs least within the power limit, if there is one."""
        limit_w = self.spec.power_kw * 1000 if self.spec.power_kw else inf
        found = best_mix(candidate.lines, limit_w)
        if found is not None:
            candidate.mix = found

    def profile(self, candidate: Candidate, need: JobNeed) -> bool:
        """Find a step of the locality profile; False if it is known."""
        from solvers.locality import locality_profile

        name = profile_name(need)
        if name in candidate.extra:
            return False
        fabric = self.fabric(candidate)
        step = locality_profile(fabric, need.pattern, None, [need.size], self.seed, self.effort)[0]
        self.solved.add(candidate.spec)
        most = min(1.0, step.best.upper) if need.pattern == "alltoall" else step.best.upper
        candidate.extra[name] = (min(step.best.lower, most), most)
        return True

    def availability(self, candidate: Candidate) -> bool:
        """Find the share of time for training; False if it is known."""
        from topologies.resilience import ResilienceModel, resilience

        if "availability" in candidate.extra:
            return False
        found = resilience(self.fabric(candidate), self.shelf.prices, ResilienceModel(failures=(), trials=1), self.seed)
        candidate.extra["availability"] = (found.effective_training_share,) * 2
        return True

    def resilience(self, candidate: Candidate, need: Resilience) -> bool:
        """Find what the worst loss of cables leaves; False if it is known."""
        from topologies.cuts import CutModel
        from topologies.degradation import worst_links

        if "resilience" in candidate.extra:
            return False
        share = worst_links(CutModel(self.fabric(candidate)), need.failures, need.pattern).share
        candidate.extra["resilience"] = (share, share)
        return True


def profile_name(need: JobNeed) -> str:
    """Return the name of a step of the locality profile."""
    return f"profile {need.size} {need.pattern}"
