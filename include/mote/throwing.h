// For programs that prefer exceptions: the same classes, with Status and Result turned into mote::Error.
//
//   mote::Model model = mote::value(mote::Model::load("m.onnx"));
//   mote::Session session = mote::value(model.session());
//   mote::check(session.run());
//
// Mote itself is built without exceptions and never throws; this header is compiled by the program that includes it.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "mote/model.h"
#include "mote/status.h"

namespace mote {

class Error : public std::exception {
 public:
  explicit Error(Status status) : status_(std::move(status)), text_(status_.to_string()) {}
  const char* what() const noexcept override { return text_.c_str(); }
  const Status& status() const { return status_; }
  Code code() const { return status_.code(); }

 private:
  Status status_;
  std::string text_;
};

inline void check(Status status) {
  if (!status.ok()) throw Error(std::move(status));
}

template <class T>
T value(Result<T> result) {
  if (!result.ok()) throw Error(std::move(result).status());
  return *std::move(result);
}

}  // namespace mote
