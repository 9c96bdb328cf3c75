#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// Takes what wrappers write into a name out of it, wherever they stand: `module.` of DDP and
/// DeepSpeed, `_orig_mod.` of torch.compile, `_fsdp_wrapped_module.`, `_checkpoint_wrapped_module.`
/// and `_forward_module.`. Adds each that was there to `taken`, once.
SVI_EXPORT std::string without_wrappers(std::string_view name,
                                        std::vector<std::string>* taken = nullptr);

/// Whether a part of a name is one that trainers and programs put around a network's tensors: a key
/// of a checkpoint (state_dict, generator_ema), or an attribute (diffusion_model, text_encoder).
SVI_EXPORT bool is_nest(std::string_view part);

/// The longest nest at the start of a name whose parts are joined by '_' (kohya's), without the
/// '_' behind it; empty if there is none.
SVI_EXPORT std::string_view leading_nest(std::string_view name);

/// Whether `copy`, as a user names it, means the nest "generator_ema.model": all of it, or some of
/// its parts in a row. "top" means the empty nest.
SVI_EXPORT bool is_copy(std::string_view nest, std::string_view copy);

/// Which nest is meant by `copy` (empty: there must be one only). Throws IoError that begins with
/// `what` and lists the choices and the settings that choose.
SVI_EXPORT std::string choose_nest(const std::vector<std::string>& nests, const std::string& copy,
                                   const std::string& what);

/// A nest for people; the empty one is "top".
SVI_EXPORT std::string shown_nest(const std::string& nest);

}  // namespace svi
