// Somebody's React application, in StrictMode, which mounts every component twice while it is developed.

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Picture } from "./picture.jsx";

createRoot(document.getElementById("root")).render(<StrictMode><Picture src="picture.webp" /></StrictMode>);
