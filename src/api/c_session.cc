// The C interface: sessions.
#include <algorithm>

#include "api/c_api.h"
#include "base/checked.h"
#include "base/text.h"

using mote::api::report;

#define MOTE_NEED(pointer) \
  if (!(pointer)) return mote::api::missing_argument(#pointer)

namespace {

bool has_output(const mote_session* session, std::int32_t index) {
  return session && index >= 0 && index < static_cast<std::int32_t>(session->session.outputs().size());
}

mote_code no_output(std::int32_t index) { return report(mote::invalid(mote::concat("there is no output ", index))); }

}  // namespace

mote_code mote_session_create(const mote_model* model, const mote_options* options, mote_session** session) {
  MOTE_NEED(session);
  *session = nullptr;
  MOTE_NEED(model);
  mote::SessionOptions with = options ? options->session : mote::SessionOptions();
  // One limit for the model and its session: the weights have their part of it.
  if (with.max_bytes > 0) {
    std::int64_t weights = static_cast<std::int64_t>(model->model.weight_bytes());
    with.max_bytes = std::max<std::int64_t>(with.max_bytes - weights, 1);
  }
  mote::Result<mote::Session> made = model->model.session(with);
  if (!made.ok()) return report(made.status());
  *session = new mote_session(*std::move(made));
  return MOTE_OK;
}

mote_code mote_session_create_sibling(const mote_session* session, const char* signature, mote_session** sibling) {
  MOTE_NEED(sibling);
  *sibling = nullptr;
  MOTE_NEED(session);
  MOTE_NEED(signature);
  mote::Result<mote::Session> made = session->session.sibling(signature);
  if (!made.ok()) return report(made.status());
  *sibling = new mote_session(*std::move(made));
  return MOTE_OK;
}

void mote_session_free(mote_session* session) { delete session; }

int32_t mote_session_input_index(const mote_session* session, const char* name) {
  return session && name ? session->session.input_index(name) : -1;
}

int32_t mote_session_output_index(const mote_session* session, const char* name) {
  return session && name ? session->session.output_index(name) : -1;
}

mote_code mote_session_set_input(mote_session* session, int32_t index, const mote_tensor* tensor) {
  MOTE_NEED(session);
  mote::Result<mote::TensorView> view = mote::api::view_of(tensor);
  if (!view.ok()) return report(view.status());
  if (!view->data && view->count() != 0) return mote::api::missing_argument("tensor->data");
  return report(session->session.set_input(index, *view));
}

mote_code mote_session_set_input_list(mote_session* session, int32_t index, const mote_tensor* items, int32_t count) {
  MOTE_NEED(session);
  if (count > 0) MOTE_NEED(items);
  std::vector<mote::TensorView> views;
  for (int32_t i = 0; i < count; ++i) {
    mote::Result<mote::TensorView> view = mote::api::view_of(&items[i]);
    if (!view.ok()) return report(view.status());
    views.push_back(*view);
  }
  return report(session->session.set_input_list(index, views));
}

mote_code mote_session_set_input_absent(mote_session* session, int32_t index) {
  MOTE_NEED(session);
  return report(session->session.set_input_absent(index));
}

mote_code mote_session_set_input_strings(mote_session* session, int32_t index, const char* const* elements,
                                         const int64_t* dims, int32_t rank) {
  MOTE_NEED(session);
  if (rank < 0 || rank > MOTE_MAX_RANK) return report(mote::invalid("rank is not 0 to 8"));
  if (rank > 0) MOTE_NEED(dims);
  std::span<const std::int64_t> shape(dims, static_cast<std::size_t>(rank));
  std::optional<std::int64_t> count = mote::element_count(shape);
  if (!count) return report(mote::invalid("the shape makes no sense"));
  if (*count > 0) MOTE_NEED(elements);
  std::vector<std::string> copies;
  for (std::int64_t i = 0; i < *count; ++i) {
    MOTE_NEED(elements[i]);
    copies.emplace_back(elements[i]);
  }
  return report(session->session.set_input_strings(index, shape, copies));
}

mote_code mote_session_set_output(mote_session* session, int32_t index, const mote_tensor* tensor) {
  MOTE_NEED(session);
  mote::Result<mote::TensorView> view = mote::api::view_of(tensor);
  if (!view.ok()) return report(view.status());
  return report(session->session.set_output(index, *view));
}

mote_code mote_session_run(mote_session* session, int64_t deadline_ns) {
  MOTE_NEED(session);
  session->cancel.store(false, std::memory_order_relaxed);
  session->strings_of = -1;
  return report(session->session.run({deadline_ns, &session->cancel}));
}

void mote_session_cancel(mote_session* session) {
  if (session) session->cancel.store(true, std::memory_order_relaxed);
}

mote_code mote_session_get_output(const mote_session* session, int32_t index, mote_tensor* tensor) {
  MOTE_NEED(session);
  MOTE_NEED(tensor);
  if (!has_output(session, index)) return no_output(index);
  if (session->session.outputs()[static_cast<std::size_t>(index)].kind != mote::Port::Kind::kTensor) {
    return report(mote::invalid("the output is no tensor").hint("use mote_session_get_output_item"));
  }
  mote::api::fill(session->session.output(index), tensor);
  return MOTE_OK;
}

int32_t mote_session_output_is_present(const mote_session* session, int32_t index) {
  return has_output(session, index) && session->session.output_present(index);
}

int32_t mote_session_output_item_count(const mote_session* session, int32_t index) {
  return has_output(session, index) ? static_cast<int32_t>(session->session.output_list(index).size()) : 0;
}

mote_code mote_session_get_output_item(const mote_session* session, int32_t index, int32_t item, mote_tensor* tensor) {
  MOTE_NEED(session);
  MOTE_NEED(tensor);
  if (!has_output(session, index)) return no_output(index);
  std::vector<mote::TensorView> items = session->session.output_list(index);
  if (item < 0 || item >= static_cast<int32_t>(items.size()))
    return report(mote::invalid(mote::concat("the output has no item ", item)));
  mote::api::fill(items[static_cast<std::size_t>(item)], tensor);
  return MOTE_OK;
}

mote_code mote_session_get_output_string(mote_session* session, int32_t index, int64_t element, const char** text,
                                         size_t* length) {
  MOTE_NEED(session);
  MOTE_NEED(text);
  if (!has_output(session, index)) return no_output(index);
  if (session->strings_of != index) {
    session->strings = session->session.output_strings(session->session.output(index));
    session->strings_of = index;
  }
  if (element < 0 || element >= static_cast<int64_t>(session->strings.size())) {
    return report(mote::invalid(mote::concat("the output has no string ", element)));
  }
  const std::string& s = session->strings[static_cast<std::size_t>(element)];
  *text = s.c_str();
  if (length) *length = s.size();
  return MOTE_OK;
}

mote_code mote_session_reset_states(mote_session* session) {
  MOTE_NEED(session);
  return report(session->session.reset_states());
}

int64_t mote_session_arena_bytes(const mote_session* session) { return session ? session->session.arena_bytes() : 0; }
