document.querySelectorAll(".stack").forEach(function (stack) {
  stack.addEventListener("click", function () { stack.classList.toggle("zoomed"); });
});
document.addEventListener("keydown", function (event) {
  if (event.key === "Escape") document.querySelectorAll(".zoomed").forEach(function (stack) { stack.classList.remove("zoomed"); });
});
