//! Rows of plain values as the bytes that bpf(2) wants, and back.

use bytemuck::Pod;

/// Keys and values of a map's elements, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub keys: Vec<u8>,
    pub values: Vec<u8>,
    pub count: u32,
}

impl Rows {
    pub(super) fn push<K: Pod, V: Pod>(&mut self, key: &K, value: &V) {
        self.keys.extend_from_slice(bytemuck::bytes_of(key));
        self.values.extend_from_slice(bytemuck::bytes_of(value));
        self.count += 1;
    }

    pub(super) fn of<'a, K: Pod, V: Pod>(elements: impl IntoIterator<Item = (&'a K, &'a V)>) -> Self {
        let mut rows = Self::default();
        for (key, value) in elements {
            rows.push(key, value);
        }
        rows
    }

    /// An array's elements, from index 0 on.
    pub(super) fn indexed<V: Pod>(values: &[V]) -> Self {
        let keys = (0..values.len() as u32).flat_map(u32::to_ne_bytes).collect();
        Self { keys, values: bytemuck::cast_slice(values).to_vec(), count: values.len() as u32 }
    }
}

/// The kernel rounds the values of per-CPU maps up to 8 bytes.
pub(super) const fn per_cpu_size(value: usize) -> usize {
    value.next_multiple_of(8)
}
