// Mutations of a Plan: one walk over plan/fields.h counts what there is, another changes the chosen field.
#pragma once

#include <algorithm>
#include <cstring>
#include <iterator>
#include <random>
#include <type_traits>

#include "plan/fields.h"

namespace mote::fuzz {

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  // How many things can be changed.
  std::int64_t fields(Plan& plan) {
    texts_.clear();
    walk(plan, -1);
    return at_;
  }

  // Changes the i-th of them, at random.
  void mutate(Plan& plan, std::int64_t i) {
    fields(plan);
    walk(plan, i);
  }

  void mutate(Plan& plan) {
    std::int64_t n = fields(plan);
    walk(plan, static_cast<std::int64_t>(below(static_cast<std::uint64_t>(n))));
  }

  template <class T>
  void number(T& v) {
    if (chosen()) v = static_cast<T>(change(static_cast<std::int64_t>(v), 8 * sizeof(T)));
  }
  template <class T>
  void enumeration(T& v, T last) {
    if (chosen()) v = static_cast<T>(below(static_cast<std::uint64_t>(last) + 1));
  }
  void flag(bool& v) {
    if (chosen()) v = !v;
  }
  // Names are what kernels and ops are found by: taken from each other.
  void text(std::string& s) {
    bool change = chosen();
    if (target_ < 0) texts_.push_back(s);
    if (change) s = below(16) ? texts_[below(texts_.size())] : "x";
  }
  void bytes(std::vector<std::byte>& b) {
    for (std::size_t i = 0; i < b.size(); i += 8) {
      if (!chosen()) continue;
      std::int64_t word = 0;
      std::size_t n = std::min<std::size_t>(below(2) ? 8 : 4, b.size() - i);
      std::memcpy(&word, b.data() + i, n);
      word = change(word, 8 * n);
      std::memcpy(b.data() + i, &word, n);
    }
    if (chosen()) b.resize(below(2 * b.size() + 2));
  }
  template <class T>
  void numbers(std::vector<T>& v) {
    for (T& item : v) number(item);
    rearrange(v);
  }
  template <class T>
  void list(std::vector<T>& v) {
    for (T& item : v) plan_fields::each(*this, item);
    rearrange(v);
  }
  void attrs(Attrs& a) {
    std::vector<std::pair<std::string, AttrValue>> items(a.items().begin(), a.items().end());
    for (auto& [name, value] : items) {
      if (auto* n = std::get_if<std::int64_t>(&value)) number(*n);
      if (auto* list = std::get_if<std::vector<std::int64_t>>(&value)) numbers(*list);
      a.set(name, value);
    }
  }

 private:
  bool chosen() { return at_++ == target_; }
  void walk(Plan& plan, std::int64_t target) {
    target_ = target;
    at_ = 0;
    plan_fields::each(*this, plan);
  }
  std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : random_() % n; }

  template <class T>
  void rearrange(std::vector<T>& v) {
    if (!chosen()) return;
    std::size_t i = below(v.size()), j = below(v.size());
    switch (below(4)) {
      case 0:
        if (!v.empty()) v.erase(v.begin() + static_cast<std::ptrdiff_t>(i));
        break;
      case 1:
        if (!v.empty()) v.insert(v.begin() + static_cast<std::ptrdiff_t>(i), T(v[j]));
        break;
      case 2:
        if (!v.empty()) std::swap(v[i], v[j]);
        break;
      default:
        v.emplace_back();
    }
  }

  std::int64_t change(std::int64_t v, std::size_t bits) {
    switch (below(8)) {
      case 0:
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(v) + 1);
      case 1:
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(v) - 1);
      case 2:
        return static_cast<std::int64_t>(below(12)) - 4;
      case 3:
        return static_cast<std::int64_t>(below(2000));
      case 4:
        return static_cast<std::int64_t>(std::uint64_t{1} << below(bits));
      case 5:
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(v) * 2);
      case 6:
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(v) ^ (std::uint64_t{1} << below(bits)));
      default:
        return static_cast<std::int64_t>(random_());
    }
  }

  std::mt19937_64 random_;
  std::int64_t at_ = 0, target_ = -1;
  std::vector<std::string> texts_;  // what the last count met
};

}  // namespace mote::fuzz
