// Registration of the functions that stand in for those of PyMongo's own C modules.
#pragma once

#include "bind/state.h"
#include "py/python.h"

namespace barewire::bind {

// Functions of bson._cbson: seam_dict_to_bson, seam_element_to_dict, seam_array_of_documents_to_buffer; object_id_bytes.
[[nodiscard]] bool add_codec_accel(PyObject* module, ModuleState& state);

// Functions of pymongo._cmessage: seam_op_msg, seam_batched_op_msg, seam_encode_batched_op_msg,
// seam_encode_batched_write_command.
[[nodiscard]] bool add_codec_accel_message(PyObject* module, ModuleState& state);

}  // namespace barewire::bind
