// The fields of a Plan in their order on disk, stated once for the writer and the reader.
#pragma once

#include "plan/plan.h"

namespace mote::plan_fields {

// An archive gives: number(T&) for integers, enumeration(T&, last) for enums, text(std::string&), bytes(vector<byte>&),
// list(vector<T>&, each).
template <class A>
void each(A& a, ExprOp& op) {
  a.enumeration(op.code, ExprOp::kMax);
  a.number(op.value);
}

template <class A>
void each(A& a, Expr& e) {
  a.list(e.code);
  a.text(e.text);
}

template <class A>
void each(A& a, PlanValue& v) {
  a.text(v.name);
  a.enumeration(v.kind, Type::Kind::kOptional);
  a.enumeration(v.dtype, static_cast<DType>(kDTypeCount - 1));
  a.number(v.rank);
  a.flag(v.late);
  a.enumeration(v.place, Place::kAlias);
  a.number(v.index);
  a.number(v.offset);
  a.numbers(v.dims);
  a.numbers(v.perm);
  a.numbers(v.strides);
}

template <class A>
void each(A& a, PackedType& p) {
  a.number(p.operand);
  a.enumeration(p.dtype, static_cast<DType>(kDTypeCount - 1));
  a.numbers(p.dims);
}

template <class A>
void each(A& a, Step& s) {
  a.enumeration(s.kind, Step::Kind::kCall);
  a.number(s.kernel);
  a.number(s.op);
  a.numbers(s.inputs);
  a.numbers(s.outputs);
  a.numbers(s.bodies);
  a.bytes(s.params);
  a.list(s.packed);
  a.attrs(s.attrs);
  a.flag(s.late);
  a.number(s.macs);
  a.enumeration(s.numerics, Numerics::kFast);
  a.text(s.name);
  a.text(s.why);
}

template <class A>
void each(A& a, std::string& s) {
  a.text(s);
}

template <class A>
void each(A& a, PlanFunction& f) {
  a.text(f.name);
  a.list(f.symbols);
  a.list(f.exprs);
  a.list(f.values);
  a.list(f.steps);
  a.numbers(f.inputs);
  a.numbers(f.outputs);
  a.number(f.arena_bytes);
  a.numbers(f.results);
}

template <class A>
void each(A& a, PlanConstant& c) {
  a.text(c.name);
  a.enumeration(c.dtype, static_cast<DType>(kDTypeCount - 1));
  a.numbers(c.dims);
  a.number(c.offset);
  a.number(c.size);
  a.text(c.packing);
}

template <class A>
void each(A& a, PlanState& s) {
  a.text(s.name);
  a.number(s.input);
  a.number(s.output);
  a.number(s.axis);
  a.number(s.capacity);
}

template <class A>
void each(A& a, PlanSignature& s) {
  a.text(s.name);
  a.number(s.function);
  a.list(s.states);
}

template <class A>
void each(A& a, NamedVersion& n) {
  a.text(n.name);
  a.number(n.version);
}

template <class A>
void each(A& a, Symbol& s) {
  a.text(s.name);
  a.number(s.min);
  a.number(s.max);
}

template <class A>
void each(A& a, std::pair<std::string, std::string>& p) {
  a.text(p.first);
  a.text(p.second);
}

template <class A>
void each(A& a, Plan& p) {
  a.text(p.target);
  a.flag(p.reproducible);
  a.list(p.kernels);
  a.list(p.ops);
  a.list(p.functions);
  a.list(p.signatures);
  a.list(p.constants);
  a.list(p.symbols);
  a.list(p.metadata);
  a.number(p.macs);
}

}  // namespace mote::plan_fields
