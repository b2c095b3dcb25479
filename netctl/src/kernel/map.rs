//! Every map by name: shape, fill, memory.
