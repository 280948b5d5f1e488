// What a picture shows at the foot of the page, instead of the machine on which it was taken.

/** Let the pages that follow say that they show the home of `ana`. */
export async function showNeutralHome(page) {
  await page.route("**/api/v1/me", async (route) => {
    const answer = await route.fetch();
    const me = { ...(await answer.json()), where: "~/shop/.cordyna", by: "ana" };
    await route.fulfill({ response: answer, json: me });
  });
}
