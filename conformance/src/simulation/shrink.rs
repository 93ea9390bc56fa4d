//! Makes a failing history smaller: what it fails without is taken out.

use super::Broken;
use super::history::History;
use super::world::{Setting, live};

/// Takes steps, then faults and writes, out of a history as long as it still breaks the same rule.
pub(super) fn shrink(history: History, broken: Broken, setting: &Setting, tries: usize) -> (History, Broken) {
    let mut shrinker = Shrinker { history, broken, setting, tries };
    loop {
        let before = shrinker.history.size();
        shrinker.steps();
        shrinker.details();
        if shrinker.history.size() == before || shrinker.tries == 0 {
            return (shrinker.history, shrinker.broken);
        }
    }
}

struct Shrinker<'a> {
    history: History,
    broken: Broken,
    setting: &'a Setting,
    tries: usize,
}

impl Shrinker<'_> {
    /// Whether the smaller history still breaks the rule; then it is the history.
    fn fails(&mut self, smaller: History) -> bool {
        if self.tries == 0 {
            return false;
        }
        self.tries -= 1;
        match live(&smaller, self.setting, false).broken {
            Some(broken) if broken.rule == self.broken.rule => {
                (self.history, self.broken) = (smaller, broken);
                true
            }
            _ => false,
        }
    }

    /// Whole scripts first, then ever smaller runs of steps, from the end on.
    fn steps(&mut self) {
        for client in 0..self.history.clients.len() {
            let mut width = self.history.clients[client].script.len();
            while width > 0 {
                let mut end = self.history.clients[client].script.len();
                while end > 0 {
                    let start = end.saturating_sub(width);
                    let mut smaller = self.history.clone();
                    smaller.clients[client].script.drain(start..end);
                    self.fails(smaller);
                    end = start;
                }
                width /= 2;
            }
        }
    }

    fn details(&mut self) {
        for client in 0..self.history.clients.len() {
            for step in 0..self.history.clients[client].script.len() {
                self.faults(client, step);
                self.writes(client, step);
            }
        }
    }

    fn faults(&mut self, client: usize, step: usize) {
        for fault in (0..self.history.clients[client].script[step].faults.len()).rev() {
            let mut smaller = self.history.clone();
            smaller.clients[client].script[step].faults.remove(fault);
            self.fails(smaller);
        }
    }

    fn writes(&mut self, client: usize, step: usize) {
        for write in (0..self.history.clients[client].script[step].meanwhile.len()).rev() {
            let mut smaller = self.history.clone();
            smaller.clients[client].script[step].meanwhile.remove(write);
            self.fails(smaller);
        }
    }
}
