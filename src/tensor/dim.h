// src/tensor: what a shape is, and views of memory that have one.
//
// Dim: an extent known as an integer, or as an expression over named symbols (non-negative integers bound at run time).
// Expressions are kept as polynomials over atoms (a symbol, or floordiv/mod/min/max of two Dims) in canonical form, so
// that equal extents compare equal: (N+1)*2 == 2*N+2. Immutable; copies share. Division truncates toward minus
// infinity. Arithmetic on constants saturates at int64 limits, so that hostile sizes stay hostile and are refused
// later.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mote/status.h"

namespace mote {

class Dim {
 public:
  enum class Fn : std::uint8_t { kSymbol, kFloorDiv, kMod, kMin, kMax };
  struct Atom;
  struct Term {
    std::int64_t coef;
    std::vector<std::shared_ptr<const Atom>> factors;  // sorted by key
  };

  Dim() = default;
  Dim(std::int64_t value) : constant_(value) {}  // NOLINT(google-explicit-constructor)
  static Dim symbol(std::string_view name);

  bool is_const() const { return terms_ == nullptr; }
  // Requires is_const().
  std::int64_t value() const { return constant_; }
  std::optional<std::int64_t> known() const { return is_const() ? std::optional(constant_) : std::nullopt; }
  bool is(std::int64_t v) const { return is_const() && constant_ == v; }
  // The name when this Dim is one bare symbol, else empty.
  std::string_view symbol_name() const;

  std::string to_string() const;
  // Parses what to_string prints. Errors name the offending text.
  static Result<Dim> parse(std::string_view text);

  // Adds the names of all symbols used to `out` (once each).
  void collect_symbols(std::vector<std::string>& out) const;
  // Replaces symbols by `lookup(name)`; names for which it gives nothing stay.
  template <class Lookup>
  Dim substitute(const Lookup& lookup) const;
  // The value when every symbol is known to `lookup` (std::optional<int64_t>(std::string_view)).
  template <class Lookup>
  std::optional<std::int64_t> evaluate(const Lookup& lookup) const {
    return substitute([&](std::string_view n) -> std::optional<Dim> {
             if (std::optional<std::int64_t> v = lookup(n)) return Dim(*v);
             return std::nullopt;
           })
        .known();
  }

  friend Dim operator+(const Dim& a, const Dim& b);
  friend Dim operator-(const Dim& a, const Dim& b);
  friend Dim operator*(const Dim& a, const Dim& b);
  friend Dim floordiv(const Dim& a, const Dim& b);
  friend Dim mod(const Dim& a, const Dim& b);
  friend Dim min(const Dim& a, const Dim& b);
  friend Dim max(const Dim& a, const Dim& b);
  friend Dim ceildiv(const Dim& a, const Dim& b);
  friend bool operator==(const Dim& a, const Dim& b);

  // The polynomial: constant_term() + sum of terms(). For readers that lower it to another form.
  std::int64_t constant_term() const { return constant_; }
  std::span<const Term> terms() const;

 private:
  static Dim make(std::int64_t constant, std::vector<Term> terms);
  static Dim apply(Fn fn, const Dim& a, const Dim& b);
  static Dim from_atom(std::shared_ptr<const Atom> atom);

  std::int64_t constant_ = 0;
  std::shared_ptr<const std::vector<Term>> terms_;
};

struct Dim::Atom {
  Fn fn;
  std::string key;  // canonical text; the symbol's name for kSymbol
  Dim a, b;
};

using Shape = std::vector<Dim>;

// Product of extents; 1 for rank 0.
Dim volume(const Shape& shape);
std::string to_string(const Shape& shape);  // "[N,3,224,224]"
// The extents as integers, when all are constant.
std::optional<std::vector<std::int64_t>> constant_extents(const Shape& shape);
// Numpy broadcasting. Two different symbolic extents broadcast to their max.
Result<Shape> broadcast(const Shape& a, const Shape& b);

template <class Lookup>
Dim Dim::substitute(const Lookup& lookup) const {
  if (is_const()) return *this;
  Dim sum(constant_);
  for (const Term& t : *terms_) {
    Dim product(t.coef);
    for (const auto& f : t.factors) {
      if (f->fn == Fn::kSymbol) {
        std::optional<Dim> v = lookup(std::string_view(f->key));
        product = product * (v ? *v : from_atom(f));
      } else {
        product = product * apply(f->fn, f->a.substitute(lookup), f->b.substitute(lookup));
      }
    }
    sum = sum + product;
  }
  return sum;
}

}  // namespace mote
