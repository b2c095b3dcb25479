//! How much of the kernel one policy may take, and how it is counted while compiling, so that a policy
//! over budget is refused before time and memory went into it.

use super::error::{CompileError, OverBudget, Resource};

/// Limits of one generation. Two generations are in the kernel while a policy is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Rules. Default 131,072.
    pub rules: u64,
    /// Classes of addresses, for sources and for destinations each. Default 1,048,576.
    pub classes: u64,
    /// Pairs of a source class and a destination class that a rule names. Default 4,194,304.
    pub pairs: u64,
    /// Entries (chain, service class). Default 4,194,304.
    pub verdicts: u64,
    /// Exact addresses: those of ports and of the host. Default 1,048,576.
    pub addresses: u64,
    /// Prefixes, counted once for each zone. Default 1,048,576.
    pub prefixes: u64,
    /// Classes of addresses that ports learn: ports that learn and that rules tell apart, times prefixes that rules
    /// tell apart. Default 262,144.
    pub learned: u64,
    /// Bytes of kernel memory, estimated from the numbers of entries. Default 512 MiB.
    pub bytes: u64,
    /// Possible CPUs of the host, for the estimate of `bytes`. Default 64.
    pub cpus: u64,
    /// Steps of the compiler itself (an element of a class or chain looked at), of 5 to 20 ns.
    /// Default 67,108,864. Stops policies whose tables are small but hard to find.
    pub work: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            rules: 1 << 17,
            classes: 1 << 20,
            pairs: 1 << 22,
            verdicts: 1 << 22,
            addresses: 1 << 20,
            prefixes: 1 << 20,
            learned: 1 << 18,
            bytes: 512 << 20,
            cpus: 64,
            work: 1 << 26,
        }
    }
}

impl Budget {
    /// `found` of `resource`, all counted; `line` is the rule that contributes most.
    pub(super) fn check(
        &self,
        resource: Resource,
        found: u64,
        line: impl FnOnce() -> Option<u32>,
    ) -> Result<(), CompileError> {
        let limit = self.limit(resource);
        if found <= limit {
            return Ok(());
        }
        Err(OverBudget { resource, found, limit, complete: true, line: line() }.into())
    }

    /// As [`Self::check`], in the middle of counting.
    pub(super) fn check_so_far(
        &self,
        resource: Resource,
        found: u64,
        line: impl FnOnce() -> Option<u32>,
    ) -> Result<(), CompileError> {
        let limit = self.limit(resource);
        if found <= limit {
            return Ok(());
        }
        Err(OverBudget { resource, found, limit, complete: false, line: line() }.into())
    }

    fn limit(&self, resource: Resource) -> u64 {
        match resource {
            Resource::Rules => self.rules,
            Resource::SourceClasses | Resource::DestinationClasses => self.classes,
            Resource::Pairs => self.pairs,
            Resource::Verdicts => self.verdicts,
            Resource::Addresses => self.addresses,
            Resource::Prefixes => self.prefixes,
            Resource::Learned => self.learned,
            Resource::Bytes => self.bytes,
            Resource::Work => self.work,
            // A class of services is stored in 16 bits.
            Resource::ServiceClasses => 1 << 16,
        }
    }
}

/// Counts [`Budget::work`].
pub(super) struct Meter<'b> {
    pub(super) budget: &'b Budget,
    spent: u64,
}

impl<'b> Meter<'b> {
    pub(super) fn new(budget: &'b Budget) -> Self {
        Self { budget, spent: 0 }
    }

    pub(super) fn spend(&mut self, steps: u64) -> Result<(), CompileError> {
        self.spend_for(steps, || None)
    }

    /// `line`: the rule to blame.
    pub(super) fn spend_for(
        &mut self,
        steps: u64,
        line: impl FnOnce() -> Option<u32>,
    ) -> Result<(), CompileError> {
        self.spent = self.spent.saturating_add(steps);
        self.budget.check_so_far(Resource::Work, self.spent, line)
    }
}
