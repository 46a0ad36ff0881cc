// Budget: what an untrusted model may cost. Readers, importers and prepare charge it before they allocate, so that a
// hostile size is refused, by name, and never asked of the system. Safe to share between threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <string_view>

#include "mote/status.h"

namespace mote {

class Budget {
 public:
  static constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

  Budget() = default;
  Budget(std::int64_t max_bytes, std::int64_t max_nodes) : max_bytes_(max_bytes), max_nodes_(max_nodes) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  // Takes `bytes` (>= 0) out of the budget, or fails with kResourceExhausted, naming `who`, and takes nothing.
  Status charge(std::int64_t bytes, std::string_view who);
  // Nodes are whatever a reader counts one by one: nodes, values, attributes, list elements.
  Status charge_nodes(std::int64_t nodes, std::string_view who);
  void release(std::int64_t bytes) { bytes_.fetch_sub(bytes, std::memory_order_relaxed); }

  std::int64_t used() const { return bytes_.load(std::memory_order_relaxed); }
  std::int64_t left() const { return max_bytes_ - used(); }
  std::int64_t max_bytes() const { return max_bytes_; }

 private:
  std::int64_t max_bytes_ = kUnlimited, max_nodes_ = kUnlimited;
  std::atomic<std::int64_t> bytes_{0}, nodes_{0};
};

// Holds a charge and gives it back at the end of its scope.
class ScopedCharge {
 public:
  explicit ScopedCharge(Budget& budget) : budget_(budget) {}
  ScopedCharge(const ScopedCharge&) = delete;
  ScopedCharge& operator=(const ScopedCharge&) = delete;
  ~ScopedCharge() { budget_.release(bytes_); }
  Status charge(std::int64_t bytes, std::string_view who) {
    MOTE_TRY(budget_.charge(bytes, who));
    bytes_ += bytes;
    return {};
  }

 private:
  Budget& budget_;
  std::int64_t bytes_ = 0;
};

}  // namespace mote
