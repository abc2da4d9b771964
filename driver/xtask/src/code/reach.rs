//! Who is reached from where.

use std::collections::VecDeque;

use anyhow::{Result, bail, ensure};

use super::program::{Program, Target};
use super::rules::{Level, Rules};

/// A program whose calls by pointer are resolved as far as they are followed.
pub(super) struct Reach<'a> {
    pub(super) program: &'a Program,
    rules: &'a Rules,
}

/// A step from one function to another.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// The function called, by its index.
    pub(super) to: usize,
    /// Whether the caller's frame is gone by then.
    pub(super) tail: bool,
}

/// The deepest way down from a function.
#[derive(Clone, Default, Debug)]
pub(super) struct Depth {
    /// Bytes, with the return addresses.
    pub(super) bytes: u64,
    /// The functions on the way, the first one included.
    pub(super) path: Vec<usize>,
}

/// Bytes that a call takes for the return address.
const RETURN_ADDRESS: u64 = 8;

impl<'a> Reach<'a> {
    pub(super) fn new(program: &'a Program, rules: &'a Rules) -> Self {
        Self { program, rules }
    }

    /// The functions that others call at DISPATCH_LEVEL.
    pub(super) fn roots(&self) -> Result<Vec<usize>> {
        let roots: Vec<usize> = self
            .rules
            .levels(self.program)?
            .into_iter()
            .filter(|(_, level)| *level == Level::Dispatch)
            .map(|(index, _)| index)
            .collect();
        if roots.is_empty() {
            bail!("levels.txt names no function that is called at DISPATCH_LEVEL");
        }
        self.rules.pointers_are_used(self.program)?;
        self.pointers_are_known(&roots)?;
        Ok(roots)
    }

    /// Fails for calls by pointer, below `roots`, of which the list does not speak; shows the way to one below each root.
    fn pointers_are_known(&self, roots: &[usize]) -> Result<()> {
        let mut unknown = Vec::new();
        for &root in roots {
            let is_unknown = |index: usize| {
                let function = &self.program.functions[index];
                let calls_pointer = function.calls.iter().any(|call| call.to == Target::Pointer);
                calls_pointer && !self.rules.knows_pointers_of(function)
            };
            unknown.extend(self.path(root, is_unknown)?.map(|path| self.names(&path)));
        }
        ensure!(
            unknown.is_empty(),
            "the last of these functions call by a pointer, and pointers.txt does not say whom:\n  {}",
            unknown.join("\n  ")
        );
        Ok(())
    }

    /// The deepest way down from `root`, which must not come back to where it has been.
    pub(super) fn depth(&self, root: usize, known: &mut Vec<Option<Depth>>) -> Result<Depth> {
        known.resize(self.program.functions.len(), None);
        self.descend(root, &mut Vec::new(), known)
    }

    fn descend(&self, from: usize, above: &mut Vec<usize>, known: &mut Vec<Option<Depth>>) -> Result<Depth> {
        if let Some(depth) = &known[from] {
            return Ok(depth.clone());
        }
        if let Some(first) = above.iter().position(|index| *index == from) {
            let mut cycle = above[first..].to_vec();
            cycle.push(from);
            bail!("recursion: {}", self.names(&cycle));
        }
        above.push(from);
        let own = RETURN_ADDRESS + u64::from(self.program.functions[from].frame);
        let mut deepest = Depth { bytes: own, path: vec![from] };
        for step in self.steps(from)? {
            let below = self.descend(step.to, above, known)?;
            let bytes = if step.tail { below.bytes } else { own + below.bytes };
            if bytes > deepest.bytes {
                deepest = Depth { bytes, path: [&[from][..], &below.path].concat() };
            }
        }
        above.pop();
        known[from] = Some(deepest.clone());
        Ok(deepest)
    }

    /// The shortest way from `root` to a function that `is_end` takes.
    pub(super) fn path(&self, root: usize, is_end: impl Fn(usize) -> bool) -> Result<Option<Vec<usize>>> {
        let mut from: Vec<Option<usize>> = vec![None; self.program.functions.len()];
        let mut queue = VecDeque::from([root]);
        from[root] = Some(root);
        while let Some(here) = queue.pop_front() {
            if is_end(here) {
                let mut path = vec![here];
                while let Some(above) =
                    from[path[path.len() - 1]].filter(|above| *above != path[path.len() - 1])
                {
                    path.push(above);
                }
                path.reverse();
                return Ok(Some(path));
            }
            for step in self.steps(here)? {
                if from[step.to].is_none() {
                    from[step.to] = Some(here);
                    queue.push_back(step.to);
                }
            }
        }
        Ok(None)
    }

    /// Every function that can come to one that `is_end` takes by direct calls.
    pub(super) fn callers(&self, is_end: impl Fn(usize) -> bool) -> Vec<bool> {
        let functions = &self.program.functions;
        let mut reaching: Vec<bool> = (0..functions.len()).map(is_end).collect();
        loop {
            let mut grew = false;
            for (index, function) in functions.iter().enumerate().filter(|(_, one)| !one.calls.is_empty()) {
                let reaches = function
                    .calls
                    .iter()
                    .any(|call| matches!(call.to, Target::Function(callee) if reaching[callee]));
                grew |= reaches && !reaching[index];
                reaching[index] |= reaches;
            }
            if !grew {
                return reaching;
            }
        }
    }

    /// The names of `path`, one below the other's caller.
    pub(super) fn names(&self, path: &[usize]) -> String {
        let names: Vec<String> = path.iter().map(|index| self.program.functions[*index].name()).collect();
        names.join("\n    -> ")
    }

    fn steps(&self, from: usize) -> Result<Vec<Step>> {
        let caller = &self.program.functions[from];
        let mut steps = Vec::new();
        for call in &caller.calls {
            match call.to {
                Target::Import(_) => {}
                Target::Function(to) => steps.push(Step { to, tail: call.tail }),
                Target::Pointer => steps.extend(
                    self.rules
                        .pointed_at(caller, self.program)?
                        .into_iter()
                        .map(|to| Step { to, tail: call.tail }),
                ),
            }
        }
        Ok(steps)
    }
}
