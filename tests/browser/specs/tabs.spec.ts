import { expect, test } from "../fixtures.ts";
import { Desk } from "./desk.ts";

test("one's own second tab is not another person", async ({ person }) => {
  const ann = await Desk.create(await person());
  const bob = await ann.join(await person());
  const faces = (desk: Desk) => desk.page.getByRole("list", { name: "Who is here" }).locator(".other");
  await expect(faces(ann)).toHaveCount(1);

  const second = await Desk.open(await ann.page.context().newPage(), ann.page.url());
  await second.add("from the second tab");
  await ann.expectTexts("from the second tab");
  // Others see two people; Ann's tabs know each other.
  await expect(faces(bob)).toHaveCount(2);
  await expect(faces(ann)).toHaveCount(1);
  await expect(faces(second)).toHaveCount(1);

  await bob.page.close();
  await expect(faces(ann)).toHaveCount(0);
  await second.page.reload();
  await second.expectSaved();
  await expect(faces(ann)).toHaveCount(0);
  await expect(faces(second)).toHaveCount(0);
});
