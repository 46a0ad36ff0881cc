// What the files of the C interface share: the objects behind its handles, and errors.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "mote/c/mote.h"
#include "mote/custom.h"
#include "mote/model.h"

struct mote_options {
  mote::LoadOptions load;
  mote::SessionOptions session;
};

struct mote_model {
  mote::Model model;
};

struct mote_session {
  mote::Session session;
  std::atomic<bool> cancel{false};
  std::vector<std::string> strings;  // of output `strings_of`
  int strings_of = -1;
  explicit mote_session(mote::Session s) : session(std::move(s)) {}
};

struct mote_registry {
  std::shared_ptr<mote::OpRegistry> ops;
};

namespace mote::api {

// Keeps the error for this thread and gives its code.
mote_code report(const Status& status);
Code code_of(mote_code code);
// The op that a C description stands for.
Result<CustomOp> custom_op(const mote_op* op);

inline mote_code missing_argument(const char* what) { return report(invalid(std::string(what) + " is NULL")); }

Result<TensorView> view_of(const mote_tensor* tensor);
void fill(const TensorView& view, mote_tensor* tensor);

// What a plugin's entry point is given. The first failure stays in `status`.
struct PluginHost {
  explicit PluginHost(OpRegistry& registry);
  OpRegistry& registry;
  Status status;
  mote_plugin_host host;
};

}  // namespace mote::api
